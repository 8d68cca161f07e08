import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { finalError } from "../errors";
import type { BatchContext } from "../tasks/steps/step";
import { DataApiServer, secretKey } from "../testing/data-api-server";
import { chunksOf, runOn, stepOf } from "../testing/pipeline";
import { DataApi } from "../worker-api/client";
import { ChunkBuffer, maxBytes } from "./chunk-buffer";
import { readChunks, type StepWork } from "./chunks";

let server: DataApiServer;
beforeEach(async () => {
  server = await DataApiServer.start();
});
afterEach(() => server.stop());

test("chunks that are written already are neither read nor processed again", async () => {
  const { run, steps } = server.schema.addRun(chunksOf(4), [{ slug: "keep" }]);
  for (const chunkIndex of [0, 2]) {
    steps[0]?.written.set(chunkIndex, {
      records: chunksOf(4)[chunkIndex] ?? [],
      rejected: [],
      dropped: [],
    });
  }
  const processed: number[] = [];
  const keep = stepOf("keep", {
    processChunk: (records, { chunkIndex }) => {
      processed.push(chunkIndex);
      return { records, rejected: [], dropped: [] };
    },
  });
  expect(await runOn(server, run.id, [keep])).toEqual({ status: "succeeded" });
  expect(processed).toEqual([1, 3]);
  // The first chunk came with the start of the step.
  expect(server.callsOf("read_chunk").map(({ args }) => args.p_chunk_index)).toEqual([3]);
});

test("an attempt that died in the middle is continued by the next one, and no record is lost or doubled", async () => {
  const { run, steps } = server.schema.addRun(chunksOf(5), [{ slug: "first" }, { slug: "second" }]);
  const first = stepOf("first");
  // The process dies with unwritten chunks. The database sees a claim whose worker makes no more calls.
  const dies = stepOf("second", {
    processChunk: async (records, { chunkIndex }) => {
      if (chunkIndex === 3) {
        await vi.waitUntil(() => steps[1]?.written.size === 3);
        server.failNext("write_chunk", ...Array<"reset">(6).fill("reset"));
      }
      return { records, rejected: [], dropped: [] };
    },
  });
  server.schema.run(run.id).steps.forEach((step) => (step.retry = { max_attempts: 1 }));
  await expect(runOn(server, run.id, [first, dies])).rejects.toMatchObject({ code: "data_api_unavailable" });
  const survivors = await DataApiServer.start();
  try {
    survivors.schema.runs.set(run.id, server.schema.run(run.id));
    expect(await runOn(survivors, run.id, [first, stepOf("second")])).toEqual({ status: "succeeded" });
    expect(survivors.callsOf("start_step")).toHaveLength(1);
    expect(survivors.callsOf("write_chunk").map(({ args }) => args.p_chunk_index)).toEqual([3, 4]);
    const ids = [...(steps[1]?.written.values() ?? [])].flatMap(({ records }) => records.map(({ id }) => id));
    expect(ids.sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 10 }, (_, index) => String(index + 1)),
    );
  } finally {
    await survivors.stop();
  }
});

/** Holds each call of the function until `release`. */
function hold(name: string): { release(): void } {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  server.onCall((call) => (call.name === name ? held : undefined));
  return { release };
}

/** Long enough for a forbidden event to happen. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 100));

describe("overlap", () => {
  test("the next two chunks are read while one is processed, and no more", async () => {
    const { run } = server.schema.addRun(chunksOf(5), [{ slug: "slow" }]);
    const readSoFar: number[] = [];
    const slow = stepOf("slow", {
      processChunk: async (records, { chunkIndex }) => {
        await vi.waitUntil(() => server.callsOf("read_chunk").length === Math.min(chunkIndex + 2, 4));
        await aWhile();
        readSoFar.push(server.callsOf("read_chunk").length);
        return { records, rejected: [], dropped: [] };
      },
    });
    await runOn(server, run.id, [slow]);
    expect(readSoFar).toEqual([2, 3, 4, 4, 4]);
  });

  test("processing goes on while two chunks are being written, and then waits", async () => {
    const { run } = server.schema.addRun(chunksOf(9), [{ slug: "quick" }]);
    const writes = hold("write_chunk");
    const processed: number[] = [];
    const quick = stepOf("quick", {
      processChunk: (records, { chunkIndex }) => {
        processed.push(chunkIndex);
        return { records, rejected: [], dropped: [] };
      },
    });
    const outcome = runOn(server, run.id, [quick]);
    await vi.waitUntil(() => processed.length >= 3);
    await aWhile();
    expect(processed).toEqual([0, 1, 2]);
    expect(
      server
        .callsOf("write_chunk")
        .map(({ args }) => Number(args.p_chunk_index))
        .sort(),
    ).toEqual([0, 1]);
    // Two chunks are being written, one waits for them and two are read ahead. The first came with the start of the step.
    expect(server.callsOf("read_chunk")).toHaveLength(4);
    writes.release();
    expect(await outcome).toEqual({ status: "succeeded" });
    expect(processed).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("a step is finished only when its last chunks are acknowledged", async () => {
    const { run } = server.schema.addRun(chunksOf(2), [{ slug: "keep" }]);
    const writes = hold("write_chunk");
    const outcome = runOn(server, run.id, [stepOf("keep")]);
    await vi.waitUntil(() => server.callsOf("write_chunk").length === 2);
    await aWhile();
    expect(server.callsOf("finish_step")).toHaveLength(0);
    writes.release();
    expect(await outcome).toEqual({ status: "succeeded" });
  });

  test("after a failed write no chunk is begun, and the next attempt starts when those under way are finished", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(9), [
      { slug: "keep", retry: { max_attempts: 2, backoff: { initial_seconds: 0.001 }, on: ["data_api_unavailable"] } },
    ]);
    const begun: number[] = [];
    const refused = { status: 500 };
    server.onCall(async ({ name, args }) => {
      if (name !== "write_chunk" || server.callsOf("start_step").length > 1) return;
      // The first write fails three times while the second is still under way.
      if (args.p_chunk_index === 0) server.failNext("write_chunk", refused);
      else if (args.p_chunk_index === 1) await vi.waitUntil(() => server.callsOf("write_chunk").length >= 4);
    });
    const keep = stepOf("keep", {
      processChunk: (records, { chunkIndex }) => {
        begun.push(chunkIndex);
        return { records, rejected: [], dropped: [] };
      },
    });
    const writtenAtStart: number[] = [];
    server.onCall(({ name }) => {
      if (name === "start_step") writtenAtStart.push(steps[0]?.written.size ?? 0);
    });
    expect(await runOn(server, run.id, [keep])).toEqual({ status: "succeeded" });
    // Before the failure, two chunks were being written and one waited for them.
    expect(begun.slice(0, 4)).toEqual([0, 1, 2, 0]);
    expect(writtenAtStart).toEqual([0, 2]);
  });

  test("large chunks are held a few at a time, whatever the concurrency", async () => {
    const chunks = chunksOf(8, 3).map((chunk) =>
      chunk.map(({ id }) => ({ id, data: { text: "x".repeat(1_000_000) } })),
    );
    const { run } = server.schema.addRun(chunks, [{ slug: "keep", concurrency: 20 }]);
    // The first chunk comes with the start of the step.
    let held = 1;
    let most = 0;
    server.onCall(({ name }) => {
      if (name === "read_chunk") most = Math.max(most, ++held);
      if (name === "write_chunk") held--;
    });
    expect(await runOn(server, run.id, [stepOf("keep")])).toEqual({ status: "succeeded" });
    // Five chunks of three megabytes fit into sixteen. The first three are read before their size is known.
    expect(most).toBeGreaterThanOrEqual(3);
    expect(most).toBeLessThanOrEqual(5);
  });
});

describe("a failure", () => {
  test("releases the chunks that wait for room in the buffer", async () => {
    const chunks = chunksOf(4, 1).map((chunk) =>
      chunk.map(({ id }) => ({ id, data: { text: "x".repeat(9_000_000) } })),
    );
    const { run } = server.schema.addRun(chunks, [{ slug: "breaks", concurrency: 4 }]);
    let begun = 0;
    const breaks = stepOf("breaks", {
      processChunk: async () => {
        begun++;
        await aWhile();
        throw finalError("broken", "It is broken.");
      },
    });
    expect((await runOn(server, run.id, [breaks])).status).toBe("failed");
    expect(begun).toBeLessThan(4);
  });
});

describe("a run that ends", () => {
  test("stops waiting at once for a read that the Data API does not answer", async () => {
    const { run } = server.schema.addRun(chunksOf(3), [{ slug: "keep" }]);
    const reads = hold("read_chunk");
    const task = new AbortController();
    const outcome = runOn(server, run.id, [stepOf("keep")], { signal: task.signal });
    await vi.waitUntil(() => server.callsOf("read_chunk").length > 0);
    task.abort(new Error("cancelled"));
    await expect(outcome).rejects.toThrow("cancelled");
    reads.release();
  });

  test("still gets its processed chunks written", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(3), [{ slug: "keep" }]);
    const task = new AbortController();
    server.onCall(({ name }) => {
      if (name === "write_chunk") task.abort(new Error("cancelled"));
    });
    await expect(runOn(server, run.id, [stepOf("keep")], { signal: task.signal })).rejects.toThrow("cancelled");
    expect(steps[0]?.written.size).toBeGreaterThan(0);
  });

  test("stops waiting within five seconds for a write that the Data API does not answer", async () => {
    const { run } = server.schema.addRun(chunksOf(3), [{ slug: "keep" }]);
    const writes = hold("write_chunk");
    const task = new AbortController();
    const patient = new DataApi(server.url, secretKey);
    const outcome = runOn(server, run.id, [stepOf("keep")], { dataApi: patient, signal: task.signal });
    await vi.waitUntil(() => server.callsOf("write_chunk").length > 0);
    let isLeft = false;
    void outcome.catch(() => (isLeft = true));
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    task.abort(new Error("cancelled"));
    vi.advanceTimersByTime(3_000);
    await turnOfTheLoop();
    expect(isLeft).toBe(false);
    vi.advanceTimersByTime(2_000);
    vi.useRealTimers();
    await expect(outcome).rejects.toThrow("cancelled");
    writes.release();
  });
});

test("a whole-batch step sees all chunks in order before it processes the first one, also when it is resumed", async () => {
  const { run, steps } = server.schema.addRun(chunksOf(3), [{ slug: "counts" }]);
  steps[0]?.written.set(0, { records: chunksOf(3)[0] ?? [], rejected: [], dropped: [] });
  const states: unknown[] = [];
  const counts = stepOf("counts", {
    prepareBatch: async ({ readInput }) => {
      const ids: string[] = [];
      for await (const { records } of readInput()) ids.push(...records.map(({ id }) => id));
      return ids;
    },
    processChunk: (records, { state }) => {
      states.push(state);
      return { records, rejected: [], dropped: [] };
    },
  });
  expect(await runOn(server, run.id, [counts])).toEqual({ status: "succeeded" });
  expect(states).toEqual([
    ["1", "2", "3", "4", "5", "6"],
    ["1", "2", "3", "4", "5", "6"],
  ]);
});

test("a whole-batch step reads chunks of its input again while it processes one", async () => {
  const { run } = server.schema.addRun(chunksOf(3), [{ slug: "looks-back" }]);
  const seen: string[][] = [];
  const looksBack = stepOf("looks-back", {
    prepareBatch: ({ readInput }) => Promise.resolve(readInput),
    processChunk: async (records, { state, chunkIndex }) => {
      const readInput = state as BatchContext<unknown>["readInput"];
      for await (const chunk of readInput([0, chunkIndex])) seen.push(chunk.records.map(({ id }) => id));
      return { records, rejected: [], dropped: [] };
    },
  });
  expect(await runOn(server, run.id, [looksBack])).toEqual({ status: "succeeded" });
  const [first, second, third] = [
    ["1", "2"],
    ["3", "4"],
    ["5", "6"],
  ];
  expect(seen).toEqual([first, first, first, second, first, third]);
});

test("a step can read a secret, and an absent secret fails the run with its code", async () => {
  const { run } = server.schema.addRun(chunksOf(1), [{ slug: "signs" }]);
  const signs = stepOf("signs", {
    processChunk: async (records, { readSecret }) => {
      expect(await readSecret("present")).toBe("s3cret");
      await readSecret("absent");
      return { records, rejected: [], dropped: [] };
    },
  });
  server.schema.secrets.set("present", "s3cret");
  await runOn(server, run.id, [signs]);
  expect(server.schema.run(run.id).error?.code).toBe("secret_not_found");
});

test("a read-ahead that fails after the step itself failed does not crash the process", async () => {
  const { run } = server.schema.addRun(chunksOf(2), [{ slug: "breaks" }]);
  const breaks = stepOf("breaks", {
    processChunk: async () => {
      server.failNext("read_chunk", "reset", "reset", "reset");
      await vi.waitUntil(() => server.callsOf("read_chunk").length >= 2);
      throw new Error("first");
    },
  });
  expect((await runOn(server, run.id, [breaks])).status).toBe("failed");
});

test("the event loop turns before each chunk, however fast chunks arrive, so that an abort is noticed", async () => {
  let turns = 0;
  const ended = new AbortController();
  const turn = () => {
    turns += 1;
    if (turns === 4) ended.abort(new Error("enough"));
    else setImmediate(turn);
  };
  setImmediate(turn);
  const work = {
    dataApi: { readChunk: () => Promise.resolve([]) },
    step: { step_result_id: "" },
    signal: ended.signal,
  } as unknown as StepWork;
  const turnsAtChunk: number[] = [];
  const reading = async () => {
    const buffer = new ChunkBuffer(3, maxBytes);
    for await (const { chunkIndex } of readChunks(work, [0, 1, 2, 3, 4, 5, 6], buffer)) {
      turnsAtChunk.push(turns);
      buffer.release(chunkIndex);
    }
  };
  await expect(reading()).rejects.toThrow("enough");
  expect(turnsAtChunk).toEqual([1, 2, 3]);
});
