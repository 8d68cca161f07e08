import type { PipelineRecord } from "../step";
import { storedBytes } from "./stored-size";

/** Filling makes no chunk larger than a submitted one may be, so that later steps can add to it as well. */
const MAX_CHUNK_BYTES = 4_000_000;

export function chunkBytes(...lists: (readonly PipelineRecord[])[]): number {
  return lists.flat().reduce((bytes, record) => bytes + storedBytes(record) + 2, 2);
}

/** Which rows and how many bytes each chunk of the batch has. */
export class ChunkMap {
  readonly #firstRows: number[] = [];
  readonly #bytes: number[] = [];

  /** `bytes` is the size of the whole input chunk, with the records that the step's condition lets pass. */
  add(firstRow: number, bytes: number): void {
    this.#firstRows.push(firstRow);
    this.#bytes.push(bytes);
  }

  firstRow(chunkIndex: number): number {
    return this.#firstRows[chunkIndex] ?? 0;
  }

  /** How many bytes may be added to the chunk. */
  bytesLeft(chunkIndex: number): number {
    return Math.max(0, MAX_CHUNK_BYTES - (this.#bytes[chunkIndex] ?? 0));
  }

  chunkOf(row: number): number {
    let [low, high] = [0, this.#firstRows.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.firstRow(middle) <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/**
 * Which duplicate (source) gives which fields to which kept record (target). It takes two numbers a row, since rows share
 * few lists of fields.
 */
export class FillPlan {
  readonly #targets: Int32Array;
  readonly #lists: Int32Array;
  readonly #fields: (readonly string[])[] = [];
  readonly #numbers = new Map<string, number>();
  /** The last chunk with a target, by chunk that has its sources. */
  readonly #lastTargetChunks = new Map<number, number>();
  readonly #targetChunks = new Set<number>();

  constructor(
    rowCount: number,
    readonly chunks: ChunkMap,
  ) {
    this.#targets = new Int32Array(rowCount).fill(-1);
    this.#lists = new Int32Array(rowCount);
  }

  add(source: number, target: number, fields: readonly string[]): void {
    const key = JSON.stringify(fields);
    let number = this.#numbers.get(key);
    if (number === undefined) this.#numbers.set(key, (number = this.#fields.push(fields) - 1));
    this.#targets[source] = target;
    this.#lists[source] = number;
    const [from, to] = [this.chunks.chunkOf(source), this.chunks.chunkOf(target)];
    this.#lastTargetChunks.set(from, Math.max(to, this.#lastTargetChunks.get(from) ?? 0));
    this.#targetChunks.add(to);
  }

  /** Undefined when there is nothing to fill. */
  get firstTargetChunk(): number | undefined {
    return this.#targetChunks.size === 0 ? undefined : Math.min(...this.#targetChunks);
  }

  hasTargets(chunkIndex: number): boolean {
    return this.#targetChunks.has(chunkIndex);
  }

  /** The chunks with sources for this chunk or a later one, in order. */
  sourceChunks(chunkIndex: number): number[] {
    const sources = [...this.#lastTargetChunks].filter(([, last]) => last >= chunkIndex).map(([source]) => source);
    return sources.sort((a, b) => a - b);
  }

  /** The target and the fields of a source; undefined for any other row. */
  ofRow(row: number): { target: number; fields: readonly string[] } | undefined {
    const target = this.#targets[row] ?? -1;
    return target === -1 ? undefined : { target, fields: this.#fields[this.#lists[row] ?? 0] ?? [] };
  }
}
