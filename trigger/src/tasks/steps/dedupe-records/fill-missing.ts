import type { BatchContext, PipelineRecord } from "../step";
import { entryBytes, storedBytes } from "./stored-size";

/** Merging makes no chunk larger than one that is submitted may be: the steps to come add to it as well. */
const mostChunkBytes = 4_000_000;
/** The note of where a value came from, beside the field's name and the row's. */
const noteBytes = 20;

/** What a kept record gets of its duplicates. */
export interface Loan {
  values: { field: string; value: unknown; from: string }[];
  /** The rows that have more for it than there was room for. */
  leftIn: string[];
}

/** The chunks of the batch as the first look at it saw them. */
export class ChunkPlaces {
  readonly #firstRows: number[] = [];
  readonly #bytes: number[] = [];

  /** `bytes`: of the chunk as it came in, with the records that are no matter of the step. */
  add(firstRow: number, bytes: number): void {
    this.#firstRows.push(firstRow);
    this.#bytes.push(bytes);
  }

  firstRow(chunkIndex: number): number {
    return this.#firstRows[chunkIndex] ?? 0;
  }

  /** How many bytes may be added to the chunk. */
  room(chunkIndex: number): number {
    return Math.max(0, mostChunkBytes - (this.#bytes[chunkIndex] ?? 0));
  }

  /** The chunk that has the row. */
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

export function chunkBytes(...lists: (readonly PipelineRecord[])[]): number {
  return lists.reduce((sum, records) => records.reduce((bytes, record) => bytes + storedBytes(record) + 2, sum), 2);
}

/** Which row lends which fields to which: two numbers a row, since rows share few lists of fields. */
export class LendingPlan {
  readonly #borrowers: Int32Array;
  readonly #lists: Int32Array;
  readonly #fields: (readonly string[])[] = [];
  readonly #numbers = new Map<string, number>();
  /** By chunk that lends, the last chunk that it lends to. */
  readonly #lenders = new Map<number, number>();
  readonly #borrowingChunks = new Set<number>();

  constructor(
    rowCount: number,
    readonly places: ChunkPlaces,
  ) {
    this.#borrowers = new Int32Array(rowCount).fill(-1);
    this.#lists = new Int32Array(rowCount);
  }

  add(lender: number, borrower: number, fields: readonly string[]): void {
    const key = JSON.stringify(fields);
    let number = this.#numbers.get(key);
    if (number === undefined) this.#numbers.set(key, (number = this.#fields.push(fields) - 1));
    this.#borrowers[lender] = borrower;
    this.#lists[lender] = number;
    const [from, to] = [this.places.chunkOf(lender), this.places.chunkOf(borrower)];
    this.#lenders.set(from, Math.max(to, this.#lenders.get(from) ?? 0));
    this.#borrowingChunks.add(to);
  }

  /** Undefined when none does. */
  get firstBorrowingChunk(): number | undefined {
    return this.#borrowingChunks.size === 0 ? undefined : Math.min(...this.#borrowingChunks);
  }

  borrows(chunkIndex: number): boolean {
    return this.#borrowingChunks.has(chunkIndex);
  }

  /** The chunks that lend to this one or to a later one, in order. */
  lendersFrom(chunkIndex: number): number[] {
    const lenders = [...this.#lenders].filter(([, last]) => last >= chunkIndex).map(([lender]) => lender);
    return lenders.sort((a, b) => a - b);
  }

  /** Whom a row lends to, if it does. */
  ofRow(row: number): { borrower: number; fields: readonly string[] } | undefined {
    const borrower = this.#borrowers[row] ?? -1;
    return borrower === -1 ? undefined : { borrower, fields: this.#fields[this.#lists[row] ?? 0] ?? [] };
  }
}

/** The loans of the chunks from one up to another, those without any left out. */
interface Window {
  from: number;
  end: number;
  byChunk: Map<number, ChunkLoans>;
}

interface ChunkLoans {
  bytes: number;
  byRecord: Map<string, Loan>;
}

/**
 * The values that kept records get of their duplicates, for as many of the next chunks as fit into memory. When those
 * are through, the chunks that lend are read again. What a chunk gets is the same however often: it depends on the
 * batch alone.
 */
export class Loans {
  #window: Window | undefined;
  #reading: Promise<Window> | undefined;

  constructor(
    readonly plan: LendingPlan,
    readonly ids: readonly string[],
    readonly context: Pick<BatchContext<unknown>, "readInput" | "signal">,
    /** What the values take that are held for the chunks to come, or what those of one chunk take. */
    readonly mostBytes: number,
  ) {}

  /** Reads ahead for as many chunks as may be, nearly always for all. */
  async begin(): Promise<void> {
    const first = this.plan.firstBorrowingChunk;
    if (first !== undefined) await this.ofChunk(first);
  }

  /** By the ids of the chunk's records. */
  async ofChunk(chunkIndex: number): Promise<ReadonlyMap<string, Loan>> {
    if (!this.plan.borrows(chunkIndex)) return new Map();
    // Of several chunks that are processed at a time one reads, and the others look whether it read for them as well.
    while (this.#reading !== undefined) await this.#reading;
    if (this.#window === undefined || chunkIndex < this.#window.from || chunkIndex >= this.#window.end) {
      // Not both at a time.
      this.#window = undefined;
      this.#reading = this.#read(chunkIndex);
      try {
        this.#window = await this.#reading;
      } finally {
        this.#reading = undefined;
      }
    }
    return this.#window.byChunk.get(chunkIndex)?.byRecord ?? new Map<string, Loan>();
  }

  async #read(from: number): Promise<Window> {
    const { plan, context } = this;
    const { places } = plan;
    const window: Window = { from, end: Number.POSITIVE_INFINITY, byChunk: new Map() };
    let held = 0;
    for await (const { chunkIndex, records } of context.readInput(plan.lendersFrom(from))) {
      context.signal.throwIfAborted();
      for (const [index, record] of records.entries()) {
        const lending = plan.ofRow(places.firstRow(chunkIndex) + index);
        if (lending === undefined) continue;
        const to = places.chunkOf(lending.borrower);
        if (to < from || to >= window.end) continue;
        held += this.#lend(record, lending, to, window);
        while (held > this.mostBytes && window.byChunk.size > 1) {
          // The chunk that is wanted stays, and as many after it as may.
          window.end = Math.max(...window.byChunk.keys());
          held -= window.byChunk.get(window.end)?.bytes ?? 0;
          window.byChunk.delete(window.end);
        }
      }
    }
    return window;
  }

  /** Returns the bytes that the chunk's loans have grown by. */
  #lend(
    { id, data }: PipelineRecord,
    { borrower, fields }: { borrower: number; fields: readonly string[] },
    to: number,
    { byChunk }: Window,
  ): number {
    let chunk = byChunk.get(to);
    if (chunk === undefined) byChunk.set(to, (chunk = { bytes: 0, byRecord: new Map() }));
    const borrowerId = this.ids[borrower] ?? "";
    let loan = chunk.byRecord.get(borrowerId);
    if (loan === undefined) chunk.byRecord.set(borrowerId, (loan = { values: [], leftIn: [] }));
    const before = chunk.bytes;
    for (const field of fields) {
      const value = data[field];
      const bytes = entryBytes(field, value) + entryBytes(field, id) + noteBytes;
      if (chunk.bytes + bytes <= this.plan.places.room(to)) {
        loan.values.push({ field, value, from: id });
        chunk.bytes += bytes;
      } else if (loan.leftIn.at(-1) !== id) loan.leftIn.push(id);
    }
    return chunk.bytes - before;
  }
}
