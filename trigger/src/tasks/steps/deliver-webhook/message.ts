import { Webhook } from "standardwebhooks";

import { finalError } from "../../../errors";
import type { PipelineRecord, PipelineRun } from "../step";

/** One signed request: the same bytes and the same id at every try, so that a receiver can drop repeats by id. */
export interface Message {
  id: string;
  body: string;
}

export interface BatchLimits {
  batch_size: number;
  max_payload_bytes: number;
}

interface Sender {
  pipelineRun: Pick<PipelineRun, "id" | "submission_id" | "company_id" | "created_at">;
  chunkIndex: number;
}

interface Origin extends Sender {
  deliveryKey: string;
}

/**
 * The chunk's records as messages in order, and the ids of records too large for any message with their size. A message's
 * id names its place, so where one ends must not depend on the run that sends it: the run's own envelope is longer or
 * shorter (Postgres leaves trailing zeros off a time), and what it takes at most is set aside instead.
 */
export function composeMessages(
  records: readonly PipelineRecord[],
  origin: Origin,
  limits: BatchLimits,
): { messages: Message[]; tooLarge: Map<string, number> } {
  const messages: Message[] = [];
  const tooLarge = new Map<string, number>();
  let batch: string[] = [];
  let bytes = longestEnvelope;
  const flush = () => {
    if (batch.length === 0) return;
    const index = messages.length;
    messages.push({ id: messageId(origin, index), body: envelope(origin, index, batch.join(",")) });
    batch = [];
    bytes = longestEnvelope;
  };
  for (const { id, data } of records) {
    const json = JSON.stringify({ id, data });
    const size = Buffer.byteLength(json) + 1;
    if (longestEnvelope + size > limits.max_payload_bytes) {
      tooLarge.set(id, size - 1);
      continue;
    }
    if (batch.length >= limits.batch_size || bytes + size > limits.max_payload_bytes) flush();
    batch.push(json);
    bytes += size;
  }
  flush();
  return { messages, tooLarge };
}

/** No full stop in it: the signed text is joined by them. */
function messageId({ deliveryKey, chunkIndex }: Origin, batchIndex: number): string {
  return `msg_${deliveryKey}_${chunkIndex}_${batchIndex}`;
}

/** `timestamp` is when the event happened, not when it is sent: the body must not change from try to try. */
function envelope({ pipelineRun, chunkIndex }: Sender, batchIndex: number, records: string): string {
  const frame = JSON.stringify({
    type: "records.processed",
    timestamp: pipelineRun.created_at,
    data: {
      pipeline_run_id: pipelineRun.id,
      submission_id: pipelineRun.submission_id,
      company_id: pipelineRun.company_id,
      chunk_index: chunkIndex,
      batch_index: batchIndex,
      records: [],
    },
  });
  return `${frame.slice(0, -"]}}".length)}${records}]}}`;
}

const nilUuid = "00000000-0000-0000-0000-000000000000";

/** The bytes of an envelope with the longest of everything: ids are UUIDs, the time is a timestamptz, a chunk's index an int. */
const longestEnvelope = Buffer.byteLength(
  envelope(
    {
      pipelineRun: {
        id: nilUuid,
        submission_id: nilUuid,
        company_id: nilUuid,
        created_at: "294276-12-31T23:59:59.999999+15:59:59",
      },
      chunkIndex: 2 ** 31 - 1,
    },
    Number.MAX_SAFE_INTEGER,
    "",
  ),
);

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

/** The headers that identify and sign a message sent at that time. */
export type Signer = (message: Message, sentAt: Date) => Record<string, string>;

/** A signer for the secret's value; only the form that every Standard Webhooks library reads the same way. */
export function webhookSigner(secret: string, secretName: string): Signer {
  const key = Buffer.from(SECRET.exec(secret.trim())?.[1] ?? "", "base64");
  if (key.length < 24 || key.length > 64) {
    throw finalError(
      "invalid_webhook_secret",
      `The secret ${secretName} must be whsec_ followed by 24 to 64 bytes in base64.`,
      { details: { secret_name: secretName } },
    );
  }
  const webhook = new Webhook(key.toString("base64"));
  return ({ id, body }, sentAt) => ({
    "idempotency-key": id,
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1000)),
    "webhook-signature": webhook.sign(id, sentAt, body),
  });
}
