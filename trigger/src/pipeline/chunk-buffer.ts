/** Chunks that a step holds beyond those in process: read ahead, or written but not yet acknowledged. */
export const chunksAhead = 2;
export const chunksBehind = 2;
/** Together the chunks take no more than this, whatever the blueprint's concurrency. */
export const maxBytes = 16_000_000;

/**
 * The chunks that a step holds in memory, each from the start of its read until its write is acknowledged. A chunk's size
 * is unknown until it has arrived; until then it counts as much as the largest chunk so far.
 */
export class ChunkBuffer {
  readonly #bytes = new Map<number, number>();
  readonly #waiting: (() => void)[] = [];
  #largest = 0;
  isClosed = false;

  constructor(
    readonly maxChunks: number,
    readonly maxBytes: number,
  ) {}

  /** An empty buffer takes a chunk of any size; none has more than 8 MB. */
  get isFull(): boolean {
    if (this.#bytes.size === 0) return false;
    const held = [...this.#bytes.values()].reduce((sum, bytes) => sum + bytes, 0);
    return this.#bytes.size >= this.maxChunks || held + this.#largest > this.maxBytes;
  }

  reserve(chunkIndex: number): void {
    this.#bytes.set(chunkIndex, this.#largest);
  }

  measure(chunkIndex: number, content: object): void {
    const bytes = bytesOf(content);
    this.#largest = Math.max(this.#largest, bytes);
    this.#bytes.set(chunkIndex, bytes);
  }

  release(chunkIndex: number): void {
    this.#bytes.delete(chunkIndex);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Ends reading: nothing waits for a release any longer. */
  close(): void {
    this.isClosed = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves at the next release. */
  released(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** Estimates the length of the JSON text. Writing the text would take the very memory that is to be saved. */
function bytesOf(value: unknown): number {
  if (typeof value === "string") return value.length + 3;
  if (typeof value !== "object" || value === null) return 8;
  let bytes = 2;
  for (const key in value) bytes += key.length + 4 + bytesOf((value as Record<string, unknown>)[key]);
  return bytes;
}
