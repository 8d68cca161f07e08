/** Of one step, beside those that are processed: read ahead of their turn, and processed but not acknowledged as written. */
export const chunksAhead = 2;
export const chunksBehind = 2;
/** Beyond this no chunk is let in beside another, whatever the blueprint's concurrency. */
export const mostBytes = 16_000_000;

/**
 * The chunks that a step holds in memory: each from the beginning of its reading until its writing is acknowledged. How
 * large one is shows when it is here; until then it counts as much as the largest so far.
 */
export class ChunkRoom {
  readonly #bytes = new Map<number, number>();
  readonly #waiting: (() => void)[] = [];
  #largest = 0;
  #closed = false;

  constructor(
    readonly mostChunks: number,
    readonly mostBytes: number,
  ) {}

  /** An empty room takes any chunk: none has more than 8 MB. */
  get isFull(): boolean {
    if (this.#bytes.size === 0) return false;
    const held = [...this.#bytes.values()].reduce((sum, bytes) => sum + bytes, 0);
    return this.#bytes.size >= this.mostChunks || held + this.#largest > this.mostBytes;
  }

  take(chunkIndex: number): void {
    this.#bytes.set(chunkIndex, this.#largest);
  }

  weigh(chunkIndex: number, content: object): void {
    const bytes = bytesOf(content);
    this.#largest = Math.max(this.#largest, bytes);
    this.#bytes.set(chunkIndex, bytes);
  }

  release(chunkIndex: number): void {
    this.#bytes.delete(chunkIndex);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Nothing more is to be read: whoever waits for a release need not any longer. */
  close(): void {
    this.#closed = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Resolves at the next release. */
  released(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** About as many as its JSON has: to write it out would take the memory that is to be saved. */
function bytesOf(value: unknown): number {
  if (typeof value === "string") return value.length + 3;
  if (typeof value !== "object" || value === null) return 8;
  let bytes = 2;
  for (const key in value) bytes += key.length + 4 + bytesOf((value as Record<string, unknown>)[key]);
  return bytes;
}
