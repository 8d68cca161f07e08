import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { DataApiServer } from "../testing/data-api-server";
import { chunksOf, runOn, stepOf } from "../testing/pipeline";
import { withChunkTimeout } from "./chunk-timeout";

let server: DataApiServer;
beforeEach(async () => {
  server = await DataApiServer.start();
});
afterEach(() => server.stop());

const never = new AbortController().signal;
const timedOut = expect.objectContaining({ code: "step_timeout", retryable: true }) as Error;

test("work that finishes in time is left alone", async () => {
  await expect(withChunkTimeout((signal) => Promise.resolve(signal.aborted), never, 5)).resolves.toBe(false);
});

test("work that heeds its signal is aborted, and fails as step_timeout", async () => {
  let aborted = false;
  const heeds = (signal: AbortSignal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        aborted = true;
        reject(new DOMException("aborted", "AbortError"));
      });
    });
  await expect(withChunkTimeout(heeds, never, 0.02)).rejects.toEqual(timedOut);
  expect(aborted).toBe(true);
});

test("work that does not heed its signal is not waited for", async () => {
  await expect(withChunkTimeout(() => new Promise(() => undefined), never, 0.02)).rejects.toEqual(timedOut);
});

test("work that never yields fails when it is done", async () => {
  const busy = () => {
    const until = performance.now() + 50;
    while (performance.now() < until);
    return "done";
  };
  await expect(withChunkTimeout(busy, never, 0.02)).rejects.toEqual(timedOut);
});

test("a run that ends meanwhile ends the work with the run's reason", async () => {
  const run = new AbortController();
  const ended = new Error("cancelled");
  const waits = (signal: AbortSignal) =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
  const result = withChunkTimeout(waits, run.signal, 60);
  run.abort(ended);
  await expect(result).rejects.toBe(ended);
});

test("a chunk that takes too long is retried, and the run fails with step_timeout", async () => {
  const { run } = server.schema.addRun(chunksOf(2), [
    { slug: "slow", timeout_seconds: 0.02, retry: { max_attempts: 2, backoff: { initial_seconds: 0.001 } } },
  ]);
  const tried = vi.fn();
  const slow = stepOf("slow", {
    processChunk: (records, { chunkIndex, signal }) => {
      tried(chunkIndex);
      if (chunkIndex === 0) return { records, rejected: [], dropped: [] };
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    },
  });
  expect((await runOn(server, run.id, [slow])).status).toBe("failed");
  expect(server.schema.run(run.id).error).toMatchObject({ code: "step_timeout", details: { timeout_seconds: 0.02 } });
  expect(tried.mock.calls).toEqual([[0], [1], [1]]);
});
