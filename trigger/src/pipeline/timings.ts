import type { RecordedTimings } from "../worker-api/client";

/**
 * The time that a step spends in this process, in milliseconds, over all of its attempts. It counts how long the step
 * waits: a chunk that was read ahead costs no reading. The three sums add up to the step's duration, without its start,
 * its end and the waits between attempts. With `concurrency` they may exceed it, since every chunk adds its own waits.
 */
export class StepTimings {
  /** Waiting for input chunks. */
  readingMs = 0;
  /** The step's own work on the batch and on its chunks, its condition and its outside calls included. */
  processingMs = 0;
  /** Waiting for writes, because as many as allowed are under way or the last ones are left. */
  writingMs = 0;

  reading<Result>(wait: () => Promise<Result>): Promise<Result> {
    return this.#measure("readingMs", wait);
  }

  processing<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#measure("processingMs", work);
  }

  writing<Result>(wait: () => Promise<Result>): Promise<Result> {
    return this.#measure("writingMs", wait);
  }

  /** `processing` for work on the whole batch, without the time in which that work waits for its input. */
  async preparing<Result>(work: () => Promise<Result>): Promise<Result> {
    const readingBefore = this.readingMs;
    try {
      return await this.processing(work);
    } finally {
      this.processingMs -= this.readingMs - readingBefore;
    }
  }

  async #measure<Result>(sum: "readingMs" | "processingMs" | "writingMs", work: () => Promise<Result>) {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this[sum] += performance.now() - started;
    }
  }
}

/** Whole milliseconds for the database and the log, never negative. */
export function roundedTimings({ readingMs, processingMs, writingMs }: StepTimings): RecordedTimings {
  const whole = (ms: number) => Math.max(0, Math.round(ms));
  return { reading_ms: whole(readingMs), processing_ms: whole(processingMs), writing_ms: whole(writingMs) };
}
