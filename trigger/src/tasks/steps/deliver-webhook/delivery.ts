import { setTimeout as sleep } from "node:timers/promises";

import { finalError, retryableError, type StepError } from "../../../errors";
import type { ChunkOutcome, PipelineRecord, StepContext } from "../step";
import { traceparentOf } from "../../../worker-api/trace";
import { composeMessages, webhookSigner, type Message, type Signer } from "./message";
import { post, type Answer } from "./post";

export interface DeliverWebhookConfig {
  url: string;
  secret_name: string;
  batch_size: number;
  max_payload_bytes: number;
  timeout_seconds: number;
  headers: Record<string, string>;
}

export interface DeliveryOptions {
  allowPrivateAddresses: boolean;
  /** The wait after the first failed try; it doubles from try to try. */
  firstWaitMs?: number;
}

/**
 * Tries per message before the chunk as a whole is given back to the pipeline, and the longest wait spent here:
 * a hiccup is cheaper to sit out than to repeat the step.
 */
const TRIES = 3;
const LONGEST_WAIT_MS = 5_000;

/**
 * What this process has delivered of the chunks at hand. The pipeline retries a chunk with the same state, so the
 * messages that arrived are not sent again; after a crash they are, with the same ids.
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

/** Delivers a chunk in order, message by message; throws at the first that cannot be delivered. */
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
  return {
    records: records.filter(({ id }) => !tooLarge.has(id)),
    rejected: [...tooLarge].map(([id, bytes]) => ({
      id,
      reason: "payload_too_large",
      message: `The record alone is larger than max_payload_bytes (${config.max_payload_bytes}).`,
      details: { bytes, max_payload_bytes: config.max_payload_bytes },
    })),
    dropped: [],
  };
}

async function deliver(
  message: Message,
  sign: Signer,
  context: Context,
  { allowPrivateAddresses, firstWaitMs = 500 }: DeliveryOptions,
): Promise<void> {
  const { config, signal, pipelineRun } = context;
  const own = Object.entries(config.headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const headers = { "user-agent": "data-engine-x", ...Object.fromEntries(own), "content-type": "application/json" };
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted();
    const answer = await post({
      url: config.url,
      headers: { ...headers, ...sign(message, new Date()), traceparent: traceparentOf(pipelineRun) },
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

/** A request that came too slowly for a load balancer, came too early, or was one too many. */
const PASSING_STATUSES: readonly number[] = [408, 425, 429];

/** Null for 2xx. Passing refusals, server errors and no answer at all pass with time; anything else will not. */
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
