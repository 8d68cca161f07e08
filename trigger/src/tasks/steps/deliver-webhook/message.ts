import { Webhook } from "standardwebhooks";

import { finalError } from "../../../errors";
import type { PipelineRecord, PipelineRun } from "../step";
import type { DeliverWebhookConfig } from "./config";

/** The content of one request. Bytes and id stay the same at every try, so that a receiver can drop repeats by id. */
export interface Message {
  id: string;
  body: string;
}

interface Sender {
  pipelineRun: Pick<PipelineRun, "id" | "submission_id" | "company_id" | "created_at">;
  chunkIndex: number;
}

interface Origin extends Sender {
  deliveryKey: string;
}

/**
 * The chunk's records as messages in order, and the sizes of records that fit into no message, by record id. A message's
 * id is its place in the chunk, so every run must cut the chunk in the same places. The run's own envelope varies in
 * length (Postgres leaves trailing zeros off a time), so the longest possible one is set aside instead.
 */
export function composeMessages(
  records: readonly PipelineRecord[],
  origin: Origin,
  limits: Pick<DeliverWebhookConfig, "batch_size" | "max_payload_bytes">,
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

/** Contains no full stop, which separates the parts of the signed text. */
function messageId({ deliveryKey, chunkIndex }: Origin, batchIndex: number): string {
  return `msg_${deliveryKey}_${chunkIndex}_${batchIndex}`;
}

/** `timestamp` is the time of the event and not of sending, so that the body stays the same at every try. */
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
const longestTime = "294276-12-31T23:59:59.999999+15:59:59";
const longestRun = { id: nilUuid, submission_id: nilUuid, company_id: nilUuid, created_at: longestTime };

/** The bytes of the longest possible envelope: ids are UUIDs, the time is a timestamptz, the chunk index an int. */
const longestEnvelope = Buffer.byteLength(
  envelope({ pipelineRun: longestRun, chunkIndex: 2 ** 31 - 1 }, Number.MAX_SAFE_INTEGER, ""),
);

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

/** Returns the headers that identify and sign a message sent at that time. */
export type Signer = (message: Message, sentAt: Date) => Record<string, string>;

/** Takes only the form of secret that all Standard Webhooks libraries read in the same way. */
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
