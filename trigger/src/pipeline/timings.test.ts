import { afterEach, beforeEach, expect, test } from "vitest";

import type { AnyStepDefinition } from "../tasks/steps/step";
import { DataApiServer } from "../testing/data-api-server";
import { chunksOf, stepOf } from "../testing/pipeline";
import { type StepWork } from "./chunks";
import { executeStep } from "./execute-step";
import { StepRemarks } from "./step-remarks";
import { StepTimings } from "./timings";

// Much longer than the delays of a busy machine.
const pauseMs = 300;
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, pauseMs));

let server: DataApiServer;
beforeEach(async () => {
  server = await DataApiServer.start();
});
afterEach(() => server.stop());

/** The step's timings for two chunks, with a pause in each call of the function `slow`. */
async function timingsOf(definition: AnyStepDefinition, slow?: string): Promise<StepTimings> {
  const { run } = server.schema.addRun(chunksOf(2), [{ slug: definition.slug }]);
  server.onCall(({ name }) => (name === slow ? pause() : undefined));
  const dataApi = server.client();
  const claim = await dataApi.claimPipelineRun(run.id, "run_1");
  if (claim.outcome !== "claimed") throw new Error(claim.outcome);
  const [step] = claim.steps;
  if (!step) throw new Error("no step");
  const timings = new StepTimings();
  const signal = new AbortController().signal;
  const remarks = new StepRemarks();
  const rest = { condition: undefined, columns: [], signal, timings, remarks };
  const work: StepWork = { dataApi, claim, step, definition, ...rest };
  await executeStep(work);
  return timings;
}

test("a slow read counts as reading", async () => {
  const { readingMs, processingMs, writingMs } = await timingsOf(stepOf("keep"), "read_chunk");
  expect(readingMs).toBeGreaterThanOrEqual(pauseMs);
  expect(Math.max(processingMs, writingMs)).toBeLessThan(readingMs);
});

test("a slow write counts as writing", async () => {
  const { readingMs, processingMs, writingMs } = await timingsOf(stepOf("keep"), "write_chunk");
  expect(writingMs).toBeGreaterThanOrEqual(pauseMs - 1);
  expect(Math.max(readingMs, processingMs)).toBeLessThan(writingMs);
});

test("slow work counts as processing, also on the whole batch", async () => {
  const slow = stepOf("slow", {
    prepareBatch: pause,
    processChunk: async (records) => {
      await pause();
      return { records, rejected: [], dropped: [] };
    },
  });
  const { readingMs, processingMs, writingMs } = await timingsOf(slow);
  expect(processingMs).toBeGreaterThanOrEqual(3 * pauseMs - 3);
  expect(Math.max(readingMs, writingMs)).toBeLessThan(processingMs);
});

test("the batch's own reads count as reading and not as processing", async () => {
  const reads = stepOf("reads", {
    prepareBatch: async ({ readInput }) => {
      for await (const chunk of readInput()) void chunk;
    },
  });
  const { readingMs, processingMs } = await timingsOf(reads, "read_chunk");
  expect(readingMs).toBeGreaterThanOrEqual(2 * pauseMs - 2);
  expect(processingMs).toBeLessThan(pauseMs);
  expect(processingMs).toBeGreaterThanOrEqual(0);
});
