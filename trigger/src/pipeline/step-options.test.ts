import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { finalError, retryableError } from "../errors";
import { DataApiServer } from "../testing/data-api-server";
import { chunksOf, runOn, stepOf, tracingStep } from "../testing/pipeline";
import { backoffMs } from "../worker-api/backoff";

let server: DataApiServer;
beforeEach(async () => {
  server = await DataApiServer.start();
});
afterEach(() => server.stop());

const breaks = (slug: string) =>
  stepOf(slug, {
    processChunk: () => {
      throw finalError("broken", "It is broken.");
    },
  });

describe("continue_on_error", () => {
  test("a failed step passes its input on, and the run succeeds with errors", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(2), [
      { slug: "first" },
      { slug: "breaks", continue_on_error: true },
      { slug: "last" },
    ]);
    const outcome = await runOn(server, run.id, [tracingStep("first"), breaks("breaks"), tracingStep("last")]);
    expect(outcome).toEqual({ status: "succeeded_with_errors" });
    expect(steps.map(({ status, error }) => [status, error?.code])).toEqual([
      ["succeeded", undefined],
      ["failed", "broken"],
      ["succeeded", undefined],
    ]);
    const out = [...(steps[2]?.written.values() ?? [])].flatMap(({ records }) => records);
    expect(out.map(({ data }) => String(data.trail))).toEqual(Array(4).fill("first,last"));
  });

  test("a later attempt leaves out the step that had failed", async () => {
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "breaks", continue_on_error: true }, { slug: "last" }]);
    server.failNext("finish_pipeline_run", "reset", "reset", "reset");
    const steps = [breaks("breaks"), tracingStep("last")];
    await expect(runOn(server, run.id, steps)).rejects.toMatchObject({ code: "data_api_unavailable" });
    expect(await runOn(server, run.id, steps)).toEqual({ status: "succeeded_with_errors" });
    expect(server.callsOf("fail_step")).toHaveLength(1);
  });
});

describe("retry", () => {
  const flaky = (code: string, final = false) => {
    let tries = 0;
    return stepOf("flaky", {
      processChunk: (records) => {
        if (++tries < 3) {
          throw final ? finalError(code, "No.") : retryableError(code, "Not now.");
        }
        return { records, rejected: [], dropped: [] };
      },
    });
  };
  const backoff = { initial_seconds: 0.001 };

  test.each([
    ["a listed code is retried", ["not_now"], "not_now", false, "succeeded"],
    ["a listed code is retried even if the step calls it final", ["not_now"], "not_now", true, "succeeded"],
    ["a code that is not listed is not retried", ["other"], "not_now", false, "failed"],
  ] as const)("%s", async (_, on, code, final, status) => {
    const retry = { max_attempts: 3, backoff, on: [...on] };
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "flaky", retry }]);
    expect((await runOn(server, run.id, [flaky(code, final)])).status).toBe(status);
  });

  test("an unavailable database is retried, whatever is listed", async () => {
    const retry = { max_attempts: 3, backoff, on: ["other"] };
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "keep", retry }]);
    server.failNext("end_step", "reset", "reset", "reset");
    expect(await runOn(server, run.id, [stepOf("keep")])).toEqual({ status: "succeeded" });
    expect(server.callsOf("start_step")).toHaveLength(2);
  });

  test("waits grow by their factor up to their limit, and their upper half is random", () => {
    const wide = { baseMs: 100, maxMs: 5_000, factor: 10 };
    for (const [failures, ceiling] of [
      [1, 100],
      [2, 1_000],
      [3, 5_000],
      [9, 5_000],
    ] as const) {
      const waits = Array.from({ length: 50 }, () => backoffMs(failures, wide));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(ceiling / 2);
      expect(Math.max(...waits)).toBeLessThanOrEqual(ceiling);
      expect(new Set(waits).size).toBeGreaterThan(1);
    }
  });
});

describe("concurrency", () => {
  test("limits how many chunks are processed at a time", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(7), [{ slug: "waits", concurrency: 3 }]);
    let atHand = 0;
    let most = 0;
    const waits = stepOf("waits", {
      processChunk: async (records) => {
        most = Math.max(most, ++atHand);
        // Waits until three chunks are in process, or too few are left.
        await vi.waitUntil(() => most === 3 || (steps[0]?.written.size ?? 0) >= 5);
        atHand--;
        return { records, rejected: [], dropped: [] };
      },
    });
    expect(await runOn(server, run.id, [waits])).toEqual({ status: "succeeded" });
    expect(most).toBe(3);
    const ids = [...(steps[0]?.written ?? [])].sort(([one], [other]) => one - other);
    expect(ids.flatMap(([, { records }]) => records.map(({ id }) => id))).toEqual(
      Array.from({ length: 14 }, (_, index) => String(index + 1)),
    );
  });

  test("when a chunk fails, the others in process are finished and no other is begun", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(9), [{ slug: "breaks", concurrency: 3 }]);
    const begun: number[] = [];
    const failing = stepOf("breaks", {
      processChunk: async (records, { chunkIndex }) => {
        begun.push(chunkIndex);
        await vi.waitUntil(() => begun.length >= 3);
        if (chunkIndex === 1) throw finalError("broken", "It is broken.");
        await vi.waitUntil(() => begun.length > 3, { timeout: 200 }).catch(() => undefined);
        return { records, rejected: [], dropped: [] };
      },
    });
    expect((await runOn(server, run.id, [failing])).status).toBe("failed");
    expect(begun.sort()).toEqual([0, 1, 2]);
    expect([...(steps[0]?.written.keys() ?? [])].sort()).toEqual([0, 2]);
  });
});

describe("run_if", () => {
  const numbered = chunksOf(2, 3).map((chunk) => chunk.map(({ id }) => ({ id, data: { n: Number(id) } })));

  test("a false condition on the run skips the step, and its input passes on", async () => {
    const { run, steps } = server.schema.addRun(numbered, [
      { slug: "first" },
      { slug: "second", run_if: "steps[1].records_out > 100" },
      { slug: "last", run_if: "steps['second'].status == 'skipped' && run.record_count == 6" },
    ]);
    expect(await runOn(server, run.id, ["first", "second", "last"].map(tracingStep))).toEqual({ status: "succeeded" });
    expect(steps.map(({ status }) => status)).toEqual(["succeeded", "skipped", "succeeded"]);
    const out = [...(steps[2]?.written.values() ?? [])].flatMap(({ records }) => records);
    expect(out.map(({ data }) => String(data.trail))).toEqual(Array(6).fill("first,last"));
  });

  test("a condition on the run is not evaluated again for a step that had started", async () => {
    const added = server.schema.addRun(numbered, [{ slug: "first", run_if: "run.record_count > 100" }]);
    added.steps.forEach((step) => (step.begun = true));
    expect(await runOn(server, added.run.id, [tracingStep("first")])).toEqual({ status: "succeeded" });
    expect(added.steps[0]?.status).toBe("succeeded");
  });

  test("a condition on the run that cannot be evaluated fails the step", async () => {
    const { run, steps } = server.schema.addRun(numbered, [{ slug: "first", run_if: "run.unknown == 1" }]);
    expect((await runOn(server, run.id, [tracingStep("first")])).status).toBe("failed");
    expect(server.schema.run(run.id).error).toMatchObject({ code: "run_if_failed", position: 1 });
    expect(steps[0]?.written.size).toBe(0);
  });

  test("a condition on records chooses which ones the step sees, and the others keep their place", async () => {
    const { run, steps } = server.schema.addRun(numbered, [{ slug: "doubles", run_if: "int(record.n) % 2 == 0" }]);
    const seen: string[][] = [];
    const doubles = stepOf("doubles", {
      prepareBatch: async ({ readInput }) => {
        const ids: string[] = [];
        for await (const { records, passing } of readInput()) {
          ids.push(...records.map(({ id }) => id), ...passing.map(({ id }) => `-${id}`));
        }
        return ids;
      },
      processChunk: (records, { state }) => {
        seen.push(
          state as string[],
          records.map(({ id }) => id),
        );
        return { records: records.map(({ id }) => ({ id, data: { doubled: true } })), rejected: [], dropped: [] };
      },
    });
    expect(await runOn(server, run.id, [doubles])).toEqual({ status: "succeeded" });
    const batch = ["2", "-1", "-3", "4", "6", "-5"];
    expect(seen).toEqual([batch, ["2"], batch, ["4", "6"]]);
    const out = [...(steps[0]?.written.values() ?? [])].map(({ records }) => records.map(({ data }) => data));
    expect(out).toEqual([
      [{ n: 1 }, { doubled: true }, { n: 3 }],
      [{ doubled: true }, { n: 5 }, { doubled: true }],
    ]);
  });

  test("a record that the condition cannot be evaluated for is rejected, and the step does not see it", async () => {
    const { run, steps } = server.schema.addRun(
      [
        [
          { id: "1", data: { n: 1 } },
          { id: "2", data: {} },
          { id: "3", data: { n: "x" } },
        ],
      ],
      [{ slug: "none", run_if: "record.n > 1" }],
    );
    const process = vi.fn();
    expect(await runOn(server, run.id, [stepOf("none", { processChunk: process })])).toEqual({ status: "succeeded" });
    expect(process).not.toHaveBeenCalled();
    const { records, rejected } = steps[0]?.written.get(0) ?? { records: [], rejected: [] };
    expect(records.map(({ id }) => id)).toEqual(["1"]);
    expect(rejected.map(({ id, reason }) => [id, reason])).toEqual([
      ["2", "run_if_failed"],
      ["3", "run_if_failed"],
    ]);
  });

  test("a condition that cannot be parsed fails the run before any work", async () => {
    const { run } = server.schema.addRun(numbered, [{ slug: "first" }, { slug: "second", run_if: "recrd.n > 1" }]);
    expect((await runOn(server, run.id, ["first", "second"].map(tracingStep))).status).toBe("failed");
    expect(server.schema.run(run.id).error).toMatchObject({ code: "invalid_run_if", position: 2, slug: "second" });
    expect(server.callsOf("start_step")).toHaveLength(0);
  });
});

test("a delivery has the key that the database gave it", async () => {
  const { run, steps } = server.schema.addRun(chunksOf(1), [{ slug: "names" }]);
  let name = "";
  const names = stepOf("names", {
    processChunk: (records, { deliveryKey }) => {
      name = deliveryKey;
      return { records, rejected: [], dropped: [] };
    },
  });
  await runOn(server, run.id, [names]);
  expect(name).toBe(steps[0]?.delivery_key);
});
