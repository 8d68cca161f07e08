import type { DataApi } from "../worker-api/client";
import { RunEndedError } from "../errors";
import type { Claim } from "../worker-api/claim";
import { logOfRun } from "../platform/log";

/** So that a task which nobody else tells of a cancellation has stopped within 5 seconds, a slow answer included. */
const intervalMs = 3_000;

/**
 * Keeps a claim alive while work is done under it. `signal` aborts with a RunEndedError as soon as a beat
 * finds the run cancelled or claimed by another attempt, or with the task's own reason when that one ends.
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

  /** Stops and leaves the claim good for `leaseSeconds`. A beat under way is awaited: coming in later, it would end that lease. */
  async lease(leaseSeconds: number): Promise<void> {
    this.stop();
    await this.#beating;
    await this.dataApi.heartbeat(this.claim, leaseSeconds);
  }

  async #beat(): Promise<void> {
    try {
      await this.dataApi.beat(this.claim);
    } catch (error) {
      if (error instanceof RunEndedError) {
        this.stop();
        this.#ended.abort(error);
      } else {
        // The claim outlives several missed beats, and every write checks it anyway.
        logOfRun(this.claim.pipeline_run).warn("A heartbeat failed", { error });
      }
    }
  }
}
