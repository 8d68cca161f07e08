import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { finalError, retryableError } from "../errors";
import type { AnyStepDefinition } from "../tasks/steps/step";
import { DataApiServer } from "../testing/data-api-server";
import { chunksOf, runOn, stepOf } from "../testing/pipeline";
import { backoffMs, sleep } from "../worker-api/backoff";
import { defaultMaxAttempts } from "./execute-step";
import { roundedTimings, type StepTimings } from "./timings";

let server: DataApiServer;
beforeEach(async () => {
  server = await DataApiServer.start();
});
afterEach(() => server.stop());

/** A step that is retried at once. */
function eager(maxAttempts = defaultMaxAttempts) {
  return { slug: "flaky", retry: { max_attempts: maxAttempts, backoff: { initial_seconds: 0.001 } } };
}

/** Fails at each chunk `failures(chunkIndex)` times before it keeps the chunk. */
function flakyStep(failures: (chunkIndex: number) => number, processed: number[]): AnyStepDefinition {
  const failed = new Map<number, number>();
  return stepOf("flaky", {
    processChunk: (records, { chunkIndex }) => {
      processed.push(chunkIndex);
      const before = failed.get(chunkIndex) ?? 0;
      if (before < failures(chunkIndex)) {
        failed.set(chunkIndex, before + 1);
        throw retryableError("webhook_unavailable", "The receiver answered 503.");
      }
      return { records, rejected: [], dropped: [] };
    },
  });
}

describe("timings", () => {
  test.each([
    ["end_step", 2],
    ["fail_step", 9],
  ])("are recorded with %s, over all attempts", async (name, failures) => {
    const { run } = server.schema.addRun(chunksOf(1), [eager()]);
    await runOn(server, run.id, [flakyStep(() => failures, [])]);
    const [call] = server.callsOf(name);
    const timings = call?.args.p_timings as Record<string, number>;
    expect(Object.keys(timings).sort()).toEqual(["processing_ms", "reading_ms", "writing_ms"]);
    for (const ms of Object.values(timings)) expect(ms).toSatisfy(Number.isInteger);
  });

  test("are never negative, so that a measurement cannot fail a run", () => {
    const odd = { readingMs: -0.7, processingMs: 1.5, writingMs: 0 } as StepTimings;
    expect(roundedTimings(odd)).toEqual({ reading_ms: 0, processing_ms: 2, writing_ms: 0 });
  });
});

describe("retries", () => {
  test("a retryable error repeats the chunk that failed and no other", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(3), [eager()]);
    const processed: number[] = [];
    const outcome = await runOn(server, run.id, [flakyStep((chunkIndex) => (chunkIndex === 1 ? 2 : 0), processed)]);
    expect(outcome).toEqual({ status: "succeeded" });
    expect(processed).toEqual([0, 1, 1, 1, 2]);
    expect(steps[0]?.attempt).toBe(3);
  });

  test("the default is three tries, then the run fails with the step's own code", async () => {
    const retry = { backoff: { initial_seconds: 0.001 } };
    const { run } = server.schema.addRun(chunksOf(2), [{ slug: "flaky", retry }]);
    const processed: number[] = [];
    await runOn(server, run.id, [flakyStep(() => 9, processed)]);
    expect(processed).toEqual([0, 0, 0]);
    expect(server.schema.run(run.id).error?.code).toBe("webhook_unavailable");
  });

  test("the blueprint's max_attempts is obeyed", async () => {
    const { run } = server.schema.addRun(chunksOf(2), [eager(5)]);
    const processed: number[] = [];
    await runOn(server, run.id, [flakyStep(() => 9, processed)]);
    expect(processed).toHaveLength(5);
  });

  test("max_attempts counts tries in a row: each chunk may fail twice", async () => {
    const { run } = server.schema.addRun(chunksOf(4), [eager()]);
    expect(await runOn(server, run.id, [flakyStep(() => 2, [])])).toEqual({ status: "succeeded" });
  });

  test("a final error is not retried", async () => {
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "final" }]);
    const processChunk = vi.fn(() => {
      throw finalError("webhook_refused", "The receiver answered 410.");
    });
    await runOn(server, run.id, [stepOf("final", { processChunk })]);
    expect(processChunk).toHaveBeenCalledTimes(1);
  });

  test("the state from prepareBatch is kept over retries of the chunks", async () => {
    const { run } = server.schema.addRun(chunksOf(2), [eager()]);
    const prepareBatch = vi.fn(() => Promise.resolve("state"));
    await runOn(server, run.id, [{ ...flakyStep(() => 1, []), prepareBatch }]);
    expect(prepareBatch).toHaveBeenCalledTimes(1);
  });

  test.each([
    ["as long as the other side asks for", 300, 0.001, 299],
    ["its own when the other side asks for none", 0, 0.6, 299],
  ])("the wait is %s", async (_, retryAfterMs, initialSeconds, least) => {
    const retry = { max_attempts: 2, backoff: { initial_seconds: initialSeconds } };
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "limited", retry }]);
    const times: number[] = [];
    const limited = stepOf("limited", {
      processChunk: (records) => {
        times.push(performance.now());
        if (times.length === 1) throw retryableError("rate_limited", "Too many.", { retryAfterMs });
        return { records, rejected: [], dropped: [] };
      },
    });
    await runOn(server, run.id, [limited]);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(least);
  });

  test("a task that is cancelled while it waits for the next try stops at once", async () => {
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "limited" }]);
    const task = new AbortController();
    const limited = stepOf("limited", {
      processChunk: () => {
        setTimeout(() => task.abort(new Error("cancelled")), 20);
        throw retryableError("rate_limited", "Too many.", { retryAfterMs: 60_000 });
      },
    });
    await expect(runOn(server, run.id, [limited], { signal: task.signal })).rejects.toThrow("cancelled");
    expect(server.callsOf("fail_step")).toHaveLength(0);
  });
});

describe("backoff", () => {
  test("doubles with each failure, stays under the maximum and differs between workers", () => {
    const policy = { baseMs: 1_000, maxMs: 60_000 };
    for (const [failures, ceiling] of [
      [1, 1_000],
      [2, 2_000],
      [4, 8_000],
      [20, 60_000],
    ] as const) {
      const waits = Array.from({ length: 50 }, () => backoffMs(failures, policy));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(ceiling / 2);
      expect(Math.max(...waits)).toBeLessThanOrEqual(ceiling);
      expect(new Set(waits).size).toBeGreaterThan(40);
    }
  });

  test("an aborted sleep rejects with the reason of the abort", async () => {
    const controller = new AbortController();
    const sleeping = sleep(60_000, controller.signal);
    controller.abort(new Error("the reason"));
    await expect(sleeping).rejects.toThrow("the reason");
  });
});
