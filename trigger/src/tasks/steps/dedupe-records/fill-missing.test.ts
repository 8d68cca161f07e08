import { describe, expect, it } from "vitest";

import { asRecords, inChunks, runStep, stepContext } from "../../../testing/run-step";
import type { BatchChunk, BatchContext, PipelineRecord } from "../step";
import { dedupeRecords } from ".";
import type { DedupeRecordsConfig } from "./config";
import { type Duplicates, findDuplicates } from "./duplicates";
import { storedBytes } from "./stored-size";

const config = dedupeRecords.configSchema.parse({
  match_on: [["domain"]],
  merge: "fill_missing",
  max_group: 1_000_000,
});

/** A batch in memory that counts how often each of its chunks is read. */
function batchOf(chunks: readonly PipelineRecord[][], passing: readonly PipelineRecord[] = []) {
  const reads: number[] = [];
  const context: BatchContext<DedupeRecordsConfig> = {
    config,
    signal: new AbortController().signal,
    warn: () => undefined,
    async *readInput(chunkIndexes = [...chunks.keys()]): AsyncIterable<BatchChunk> {
      for (const chunkIndex of chunkIndexes) {
        reads.push(chunkIndex);
        yield await Promise.resolve({ chunkIndex, records: chunks[chunkIndex] ?? [], passing });
      }
    },
  };
  return { context, reads };
}

async function outputOf(
  chunks: readonly PipelineRecord[][],
  state: Duplicates,
  order: readonly number[] = [...chunks.keys()],
): Promise<PipelineRecord[][]> {
  const output: PipelineRecord[][] = [];
  await Promise.all(
    order.map(async (chunkIndex) => {
      const context = stepContext(config, state, { chunkIndex });
      output[chunkIndex] = (await dedupeRecords.processChunk(chunks[chunkIndex] ?? [], context)).records;
    }),
  );
  return output;
}

/** 60 pairs of a row in the first half and one in the second half, which has a note that the first one lacks. */
function pairs(noteLength: (pair: number) => number): PipelineRecord[] {
  const row = (pair: number) => ({ domain: `d${pair}.com`, name: "A", city: "B", country: "C" });
  const note = (pair: number) => ({ domain: `d${pair}.com`, note: `${pair}${"x".repeat(noteLength(pair))}` });
  const all = Array.from({ length: 60 }, (_, pair) => pair);
  return asRecords([...all.map(row), ...all.map((pair) => note((pair * 7) % 60))]);
}

describe("missing values", () => {
  const chunks = inChunks(
    pairs((pair) => 100 + pair),
    6,
  );

  it("are read once if they fit, and only from the chunks that have them", async () => {
    const { context, reads } = batchOf(chunks);
    const output = await outputOf(chunks, await findDuplicates(context));
    const whole = [...chunks.keys()];
    expect(reads).toEqual([...whole, ...whole.slice(10)]);
    expect(output.flat()).toHaveLength(60);
    for (const { data } of output.flat()) expect(data["note"]).toMatch(/^\d+x{100,}$/);
  });

  it.each([1, 700, 3_000, 9_000])("are the same if only %i bytes of them are held at a time", async (maxHeldBytes) => {
    const whole = await outputOf(chunks, await findDuplicates(batchOf(chunks).context));
    const backwards = [...chunks.keys()].reverse();
    for (const order of [[...chunks.keys()], backwards]) {
      const { context, reads } = batchOf(chunks);
      const output = await outputOf(chunks, await findDuplicates(context, maxHeldBytes), order);
      expect(JSON.stringify(output)).toBe(JSON.stringify(whole));
      expect(reads.length).toBeGreaterThan(chunks.length + 10);
    }
  });

  it("are read again after a failed read", async () => {
    const { context } = batchOf(chunks);
    const whole = await outputOf(chunks, await findDuplicates(context));
    let failures = 1;
    const flaky: typeof context = {
      ...context,
      async *readInput(chunkIndexes) {
        for await (const chunk of context.readInput(chunkIndexes)) {
          if (chunkIndexes && reads++ === 15 && failures-- > 0) throw new Error("away");
          yield chunk;
        }
      },
    };
    let reads = 0;
    const state = await findDuplicates(flaky, 700);
    await expect(outputOf(chunks, state)).rejects.toThrow("away");
    expect(JSON.stringify(await outputOf(chunks, state))).toBe(JSON.stringify(whole));
  });
});

describe("a chunk with many long values to fill in", () => {
  // A chunk of 80 kB that would grow to 9 MB, more than the database takes.
  const small = Array.from({ length: 1_000 }, (_, row) => ({ domain: `d${row}.com`, name: "A", city: "B", x: row }));
  const long = small.map(({ domain }, row) => ({ domain, note: `${row} ${"ü".repeat(4_500)}` }));
  const chunks = [
    asRecords([...small, ...long]).slice(0, 1_000),
    ...inChunks(asRecords([...small, ...long]).slice(1_000), 100),
  ];

  it("takes as many as fit, and names the rows that have the others", async () => {
    const { records, dropped } = await runStep(dedupeRecords, config, chunks);
    expect([records.length, dropped.length]).toEqual([1_000, 1_000]);
    expect(storedBytes(records)).toBeGreaterThan(3_900_000);
    expect(storedBytes(records)).toBeLessThan(4_100_000);
    const rowOf = new Map(chunks.flat().map(({ id, data }) => [id, data]));
    const left = records.filter(({ data }) => data["_left_in"] !== undefined);
    expect(left.length).toBeGreaterThan(500);
    for (const { id, data } of records) {
      const source = String(Number(id) + 1_000);
      if (data["_left_in"] !== undefined) {
        expect(data).toEqual({ ...rowOf.get(id), _left_in: [source] });
      } else {
        expect(data).toEqual({ ...rowOf.get(id), note: rowOf.get(source)?.["note"], _filled_from: { note: source } });
      }
    }
  });

  it("leaves room for the records that pass the step", async () => {
    const passing = [{ id: "9999", data: { text: "x".repeat(3_000_000) } }];
    const { context } = batchOf(chunks, passing);
    const [first] = await outputOf(chunks, await findDuplicates(context));
    expect(storedBytes([...(first ?? []), ...passing])).toBeLessThan(4_100_000);
  });

  it("gets nothing if it is too large already", async () => {
    const { context } = batchOf(chunks, [{ id: "9999", data: { text: "x".repeat(4_000_000) } }]);
    const [first] = await outputOf(chunks, await findDuplicates(context));
    for (const { data } of first ?? []) expect(data["note"]).toBeUndefined();
  });
});
