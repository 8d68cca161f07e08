import { readFileSync } from "node:fs";

import { findStep } from "./tasks/steps/registry";
import type { PipelineRecord } from "./tasks/steps/step";
import { inChunks, stepContext } from "./testing/run-step";

interface Order {
  file: string;
  chunk_size: number;
  secret: string;
  steps: { slug: string; config: unknown }[];
}

/** The same step functions without an engine: one after the other, all in memory. */
async function run({ file, chunk_size, secret, steps }: Order): Promise<number> {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const records = lines.map((line, row): PipelineRecord => ({ id: String(row + 1), data: JSON.parse(line) }));
  let chunks = inChunks(records, chunk_size);
  for (const { slug, config: given } of steps) {
    const step = findStep(slug);
    if (step === undefined) throw new Error(`There is no step ${slug}.`);
    const config = step.configSchema.parse(given);
    const input = chunks;
    const state = await step.prepareBatch?.({
      config,
      signal: new AbortController().signal,
      warn: () => undefined,
      async *readInput(chunkIndexes = [...input.keys()]) {
        for (const chunkIndex of chunkIndexes) yield { chunkIndex, records: input[chunkIndex] ?? [], passing: [] };
      },
    });
    const output: PipelineRecord[][] = [];
    for (const [chunkIndex, records] of input.entries()) {
      const context = stepContext(config, state, { chunkIndex, readSecret: async () => secret });
      output.push((await step.processChunk(records, context)).records);
    }
    chunks = output;
  }
  return chunks.flat().length;
}

const order = JSON.parse(readFileSync(0, "utf8")) as Order;
const started = performance.now();
const records = await run(order);
const { user, system } = process.cpuUsage();
console.log(
  JSON.stringify({ seconds: (performance.now() - started) / 1_000, cpu_seconds: (user + system) / 1e6, records }),
);
