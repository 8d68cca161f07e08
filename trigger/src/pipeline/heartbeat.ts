import { RunEndedError } from "../errors";
import { logOfRun } from "../platform/log";
import type { Claim } from "../worker-api/claim";
import type { DataApi } from "../worker-api/client";

/** Short enough that a task which nobody tells of a cancellation stops within 5 seconds, a slow answer included. */
const intervalMs = 3_000;

/**
 * Keeps a claim alive during work. `signal` aborts with a RunEndedError when a heartbeat finds that the run was cancelled
 * or claimed by another attempt, and with the task's own reason when the task ends.
 */
export class Heartbeat {
  readonly signal: AbortSignal;
  readonly #ended = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;

  constructor(
    readonly dataApi: DataApi,
    readonly claim: Claim,
    taskSignal: AbortSignal,
  ) {
    this.signal = AbortSignal.any([taskSignal, this.#ended.signal]);
    this.resume();
  }

  resume(): void {
    this.#timer ??= setInterval(() => {
      this.#beating ??= this.#beat().finally(() => (this.#beating = undefined));
    }, intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Stops and extends the claim. It first awaits a heartbeat under way, which would shorten the claim again. */
  async lease(leaseSeconds: number): Promise<void> {
    this.stop();
    await this.#beating;
    await this.dataApi.heartbeat(this.claim, { leaseSeconds });
  }

  async #beat(): Promise<void> {
    try {
      await this.dataApi.heartbeat(this.claim, { periodic: true });
    } catch (error) {
      if (error instanceof RunEndedError) {
        this.stop();
        this.#ended.abort(error);
      } else {
        // The claim outlives several missed heartbeats, and every write checks it anyway.
        logOfRun(this.claim.pipeline_run).warn("A heartbeat failed", { error });
      }
    }
  }
}
