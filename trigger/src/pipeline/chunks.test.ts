import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { DataApiServer } from "../testing/data-api-server";
import { chunksOf, runOn, stepOf } from "../testing/pipeline";

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
  expect(server.callsOf("read_chunk").map(({ args }) => args.p_chunk_index)).toEqual([1, 3]);
});

test("an attempt that died in the middle is continued by the next one, and no record is lost or doubled", async () => {
  const { run, steps } = server.schema.addRun(chunksOf(5), [{ slug: "first" }, { slug: "second" }]);
  const first = stepOf("first");
  // The process is gone with its chunk unwritten: what the database sees is a claim that never comes back.
  const dies = stepOf("second", {
    processChunk: (records, { chunkIndex }) => {
      if (chunkIndex === 3) server.failNext("write_chunk", "reset", "reset", "reset");
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

test("the next chunk is read while the current one is processed, and no further one", async () => {
  const { run } = server.schema.addRun(chunksOf(4), [{ slug: "slow" }]);
  const readSoFar: number[] = [];
  const slow = stepOf("slow", {
    processChunk: async (records, { chunkIndex }) => {
      await vi.waitUntil(() => server.callsOf("read_chunk").length === Math.min(chunkIndex + 2, 4));
      await new Promise((resolve) => setTimeout(resolve, 20));
      readSoFar.push(server.callsOf("read_chunk").length);
      return { records, rejected: [], dropped: [] };
    },
  });
  await runOn(server, run.id, [slow]);
  expect(readSoFar).toEqual([2, 3, 4, 4]);
});

test("a whole-batch step sees all chunks in order before its first one, also when it is resumed", async () => {
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

test("a secret is read for the step that asks, and an absent one fails the run by its code", async () => {
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

test("a read-ahead that fails after the step itself failed crashes nothing", async () => {
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
