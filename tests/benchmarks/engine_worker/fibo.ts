import { z } from "zod";

import { defineStep } from "../../pipeline/step";

function fibo(n: number): number {
  return n < 2 ? n : fibo(n - 1) + fibo(n - 2);
}

/** A step with next to no work of its own: its time is the engine's time. */
export const fiboStep = defineStep({
  slug: "fibo",
  version: "1.0.0",
  title: "Fibonacci",
  description: "Adds the tenth Fibonacci number to each record.",
  executionMode: "inline",
  configSchema: z.strictObject({}),
  inputSchema: z.record(z.string(), z.unknown()),
  outputSchema: z.record(z.string(), z.unknown()),
  processChunk: (records) => ({
    records: records.map(({ id, data }) => ({ id, data: { ...data, fibo: fibo(10) } })),
    rejected: [],
    dropped: [],
  }),
});
