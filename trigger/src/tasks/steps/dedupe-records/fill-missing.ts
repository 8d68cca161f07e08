import type { BatchContext, PipelineRecord } from "../step";
import type { FillPlan } from "./fill-plan";
import { isFilled } from "./filled-fields";
import { entryBytes } from "./stored-size";

/** What an entry of `_filled_from` takes beside the names of field and row. */
const NOTE_BYTES = 20;

/** The values that a kept record gets from its duplicates. */
export interface Filling {
  values: { field: string; value: unknown; from: string }[];
  /** The rows whose values did not fit into the chunk. */
  leftIn: string[];
}

interface ChunkFillings {
  bytes: number;
  byRecord: Map<string, Filling>;
}

/** The fillings for the chunks `from` to `end`; chunks without any are left out. */
interface Window {
  from: number;
  end: number;
  byChunk: Map<number, ChunkFillings>;
}

/**
 * Holds the values for as many of the next chunks as fit into memory, and reads the source chunks again for the chunks
 * after those. How often it reads does not change what a chunk gets: that depends on the batch alone.
 */
export class MissingValues {
  #window: Window | undefined;
  #reading: Promise<Window> | undefined;

  constructor(
    readonly plan: FillPlan,
    readonly ids: readonly string[],
    readonly context: Pick<BatchContext<unknown>, "readInput" | "signal">,
    /** Limits the bytes of values that are held, except for those of a single chunk. */
    readonly maxBytes: number,
  ) {}

  /** Reads ahead for as many chunks as fit: nearly always all of them. */
  async begin(): Promise<void> {
    const first = this.plan.firstTargetChunk;
    if (first !== undefined) await this.ofChunk(first);
  }

  /** By record id. */
  async ofChunk(chunkIndex: number): Promise<ReadonlyMap<string, Filling>> {
    if (!this.plan.hasTargets(chunkIndex)) return new Map();
    // Chunks that are processed at the same time share one read: each first looks whether it served them too.
    while (this.#reading !== undefined) await this.#reading;
    if (this.#window === undefined || chunkIndex < this.#window.from || chunkIndex >= this.#window.end) {
      // Frees the old window before the new one is built.
      this.#window = undefined;
      this.#reading = this.#read(chunkIndex);
      try {
        this.#window = await this.#reading;
      } finally {
        this.#reading = undefined;
      }
    }
    return this.#window.byChunk.get(chunkIndex)?.byRecord ?? new Map<string, Filling>();
  }

  async #read(from: number): Promise<Window> {
    const { plan, context } = this;
    const window: Window = { from, end: Number.POSITIVE_INFINITY, byChunk: new Map() };
    let held = 0;
    for await (const { chunkIndex, records } of context.readInput(plan.sourceChunks(from))) {
      context.signal.throwIfAborted();
      for (const [index, record] of records.entries()) {
        const planned = plan.ofRow(plan.chunks.firstRow(chunkIndex) + index);
        if (planned === undefined) continue;
        const to = plan.chunks.chunkOf(planned.target);
        if (to < from || to >= window.end) continue;
        held += this.#fill(record, planned, to, window);
        while (held > this.maxBytes && window.byChunk.size > 1) {
          // The last chunk goes; the requested one always stays.
          window.end = Math.max(...window.byChunk.keys());
          held -= window.byChunk.get(window.end)?.bytes ?? 0;
          window.byChunk.delete(window.end);
        }
      }
    }
    return window;
  }

  /** Returns by how many bytes the chunk's fillings have grown. */
  #fill(
    { id, data }: PipelineRecord,
    { target, fields }: { target: number; fields: readonly string[] },
    to: number,
    { byChunk }: Window,
  ): number {
    let chunk = byChunk.get(to);
    if (chunk === undefined) byChunk.set(to, (chunk = { bytes: 0, byRecord: new Map() }));
    const targetId = this.ids[target] ?? "";
    let filling = chunk.byRecord.get(targetId);
    if (filling === undefined) chunk.byRecord.set(targetId, (filling = { values: [], leftIn: [] }));
    const before = chunk.bytes;
    for (const field of fields) {
      const value = data[field];
      const bytes = entryBytes(field, value) + entryBytes(field, id) + NOTE_BYTES;
      if (chunk.bytes + bytes <= this.plan.chunks.bytesLeft(to)) {
        filling.values.push({ field, value, from: id });
        chunk.bytes += bytes;
      } else if (filling.leftIn.at(-1) !== id) filling.leftIn.push(id);
    }
    return chunk.bytes - before;
  }
}

/** Keeps the record's field order; the new fields follow in alphabetical order, then `_filled_from` and `_left_in`. */
export function fillRecord(record: PipelineRecord, filling: Filling | undefined): PipelineRecord {
  if (filling === undefined) return record;
  const { leftIn } = filling;
  const values = [...filling.values].sort((a, b) => (a.field < b.field ? -1 : 1));
  const entries = new Map(Object.entries(record.data));
  for (const { field, value } of values) entries.set(field, value);
  const before = record.data["_filled_from"];
  const earlier = isFilled(before) && typeof before === "object" && before !== null ? Object.entries(before) : [];
  if (values.length > 0) {
    const now = values.map(({ field, from }) => [field, from] as const);
    entries.set("_filled_from", Object.fromEntries([...earlier, ...now]));
  }
  if (leftIn.length > 0) entries.set("_left_in", leftIn);
  return { id: record.id, data: Object.fromEntries(entries) };
}
