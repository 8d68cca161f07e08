import { z } from "zod";

import { defineStep, eachRecord, keep } from "../step";

function fibo(n: number): number {
  return n < 2 ? n : fibo(n - 1) + fibo(n - 2);
}

/** A step with next to no work of its own: its time is the engine's time. */
export const fiboStep = defineStep({
  slug: "fibo",
  version: "1.0.0",
  title: "Fibonacci",
  description: "Adds the tenth Fibonacci number to each record.",
  configSchema: z.strictObject({}),
  example: { config: {}, records: [{ name: "Acme" }] },
  processChunk: (records) => eachRecord(records, (record) => keep(record, { ...record.data, fibo: fibo(10) })),
});
