import { setTimeout as sleep } from "node:timers/promises";

import { finalError, retryableError, type StepError } from "../../../errors";
import { eachRecord, keep, reject, type ChunkOutcome, type PipelineRecord, type StepContext } from "../step";
import type { DeliverWebhookConfig } from "./config";
import { composeMessages, webhookSigner, type Message, type Signer } from "./message";
import { post, type Answer } from "./post";

export interface DeliveryOptions {
  allowPrivateAddresses: boolean;
  /** The wait after the first failed try. It doubles with each further try. */
  firstWaitMs?: number;
}

/** A short outage is waited out here, which costs less than to repeat the step. */
const TRIES = 3;
const LONGEST_WAIT_MS = 5_000;

/**
 * The ids of the messages that this process has delivered. The pipeline retries a chunk with the same state, so delivered
 * messages are not sent again. After a crash they are, with the same ids.
 */
export class DeliveredMessages {
  private readonly idsByChunk = new Map<number, Set<string>>();

  ofChunk(chunkIndex: number): Set<string> {
    let ids = this.idsByChunk.get(chunkIndex);
    if (ids === undefined) this.idsByChunk.set(chunkIndex, (ids = new Set()));
    return ids;
  }
}

type Context = StepContext<DeliverWebhookConfig, DeliveredMessages>;

/** Delivers a chunk's messages in order; throws at the first that cannot be delivered. */
export async function deliverChunk(
  records: PipelineRecord[],
  context: Context,
  options: DeliveryOptions,
): Promise<ChunkOutcome> {
  const { config, state, chunkIndex } = context;
  const { messages, tooLarge } = composeMessages(records, context, config);
  const sign = webhookSigner(await context.readSecret(config.secret_name), config.secret_name);
  const delivered = state.ofChunk(chunkIndex);
  for (const message of messages) {
    if (delivered.has(message.id)) continue;
    await deliver(message, sign, context, options);
    delivered.add(message.id);
  }
  const limit = config.max_payload_bytes;
  return eachRecord(records, (record) => {
    const bytes = tooLarge.get(record.id);
    if (bytes === undefined) return keep(record);
    const message = `The record alone is larger than max_payload_bytes (${limit}).`;
    return reject(record, "payload_too_large", message, { bytes, max_payload_bytes: limit });
  });
}

async function deliver(
  message: Message,
  sign: Signer,
  context: Context,
  { allowPrivateAddresses, firstWaitMs = 500 }: DeliveryOptions,
): Promise<void> {
  const { config, signal } = context;
  const own = Object.entries(config.headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const headers = { "user-agent": "data-engine-x", ...Object.fromEntries(own), "content-type": "application/json" };
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted();
    const answer = await post({
      url: config.url,
      headers: { ...headers, ...sign(message, new Date()), traceparent: context.traceparent() },
      body: message.body,
      timeoutMs: config.timeout_seconds * 1_000,
      signal,
      allowPrivateAddresses,
    });
    const error = errorOf(answer, message);
    if (error === null) return;
    const waitMs = Math.max(error.retryAfterMs ?? 0, firstWaitMs * 2 ** (tries - 1));
    if (!error.retryable || tries >= TRIES || waitMs > LONGEST_WAIT_MS) throw error;
    await sleep(waitMs, undefined, { signal });
  }
}

/** Request timeout, too early, too many requests: refusals that pass with time, as server errors do. */
const PASSING_STATUSES: readonly number[] = [408, 425, 429];

/** Null for 2xx. */
function errorOf(answer: Answer, message: Message): StepError | null {
  const details = { webhook_id: message.id };
  switch (answer.kind) {
    case "refused":
      return finalError("webhook_address_refused", "The webhook's URL does not lead to a public address.", { details });
    case "unreachable":
      return retryableError("webhook_unavailable", `The webhook could not be reached (${answer.cause}).`, {
        details: { ...details, cause: answer.cause },
      });
    case "answered": {
      const { status, excerpt, location, retryAfterMs } = answer;
      if (status >= 200 && status < 300) return null;
      const answered = { ...details, status, ...(location !== null && { location }), response: excerpt };
      if (PASSING_STATUSES.includes(status) || status >= 500) {
        return retryableError("webhook_unavailable", `The webhook answered ${status}.`, {
          details: answered,
          ...(retryAfterMs !== null && { retryAfterMs }),
        });
      }
      const redirect =
        status >= 300 && status < 400 ? " Redirects are not followed: set the url to where it leads." : "";
      return finalError("webhook_rejected", `The webhook answered ${status}.${redirect}`, { details: answered });
    }
  }
}
