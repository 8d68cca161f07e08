/**
 * What the time of a step in this process went into, in milliseconds, over all of its attempts. Counted is how long
 * the step waited, not how long overlapping work took: a chunk that was read ahead costs no reading. Of a step whose
 * chunks are processed one at a time the three sums add up to its duration, but for starting, finishing and the waits
 * between attempts; of one with `concurrency` each chunk in turn adds its own waits, so they may exceed it.
 */
export class StepTimings {
  #readingMs = 0;
  #processingMs = 0;
  #writingMs = 0;

  /** Waited for input chunks to arrive. */
  get readingMs(): number {
    return this.#readingMs;
  }

  /** In the step itself: its look at the whole batch, its condition, its chunks with every call that they make. */
  get processingMs(): number {
    return this.#processingMs;
  }

  /** Waited for written chunks to be acknowledged, because as many as may be were under way or the last ones were left. */
  get writingMs(): number {
    return this.#writingMs;
  }

  async reading<Result>(wait: () => Promise<Result>): Promise<Result> {
    const started = performance.now();
    try {
      return await wait();
    } finally {
      this.#readingMs += performance.now() - started;
    }
  }

  async processing<Result>(work: () => Promise<Result>): Promise<Result> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.#processingMs += performance.now() - started;
    }
  }

  /** `work` is the step's look at its whole batch, the only thing under way: what it waits for its input is `reading`. */
  async preparing<Result>(work: () => Promise<Result>): Promise<Result> {
    const readingBefore = this.#readingMs;
    try {
      return await this.processing(work);
    } finally {
      this.#processingMs -= this.#readingMs - readingBefore;
    }
  }

  async writing<Result>(wait: () => Promise<Result>): Promise<Result> {
    const started = performance.now();
    try {
      return await wait();
    } finally {
      this.#writingMs += performance.now() - started;
    }
  }
}

/** As the database and the log have them: whole milliseconds, never fewer than none. */
export function roundedTimings({ readingMs, processingMs, writingMs }: StepTimings) {
  const whole = (ms: number) => Math.max(0, Math.round(ms));
  return { reading_ms: whole(readingMs), processing_ms: whole(processingMs), writing_ms: whole(writingMs) };
}
