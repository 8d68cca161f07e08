import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";

import { finalError } from "../errors";
import type { ChunkOutcome } from "../tasks/steps/step";
import { DataApiServer, secretKey } from "../testing/data-api-server";
import { chunksOf, runOn, stepOf, tracingStep } from "../testing/pipeline";
import { DataApi } from "../worker-api/client";

let server: DataApiServer;
beforeEach(async () => {
  server = await DataApiServer.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await server.stop();
});

describe("order", () => {
  test("each step works on the output of the previous one, and the run succeeds", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(3), [
      { slug: "first" },
      { slug: "second" },
      { slug: "third" },
    ]);
    const outcome = await runOn(server, run.id, ["third", "first", "second"].map(tracingStep));
    expect(outcome).toEqual({ status: "succeeded" });
    expect(server.schema.run(run.id).status).toBe("succeeded");
    const last = [...(steps[2]?.written.values() ?? [])].flatMap(({ records }) => records);
    expect(last.map(({ id }) => id)).toEqual(["1", "2", "3", "4", "5", "6"]);
    expect(last.every(({ data }) => String(data.trail) === "first,second,third")).toBe(true);
  });

  test("a step starts only when the previous one has finished", async () => {
    const { run } = server.schema.addRun(chunksOf(2), [{ slug: "first" }, { slug: "second" }]);
    await runOn(server, run.id, [tracingStep("first"), tracingStep("second")]);
    const order = server.calls.map(({ name }) => name);
    expect(order.filter((name) => name !== "read_chunk")).toEqual([
      ...["claim_pipeline_run", "start_step", "write_chunk", "write_chunk"],
      ...["end_step", "write_chunk", "write_chunk", "end_step", "finish_pipeline_run"],
    ]);
  });

  test("a step with one chunk costs one call", async () => {
    const slugs = ["first", "second", "third"];
    const { run, steps } = server.schema.addRun(
      chunksOf(1),
      slugs.map((slug) => ({ slug })),
    );
    expect(await runOn(server, run.id, slugs.map(tracingStep))).toEqual({ status: "succeeded" });
    expect(server.calls.map(({ name }) => name)).toEqual([
      ...["claim_pipeline_run", "start_step", "end_step", "end_step", "end_step", "finish_pipeline_run"],
    ]);
    expect(steps.map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
    expect(String(steps[2]?.written.get(0)?.records[0]?.data.trail)).toBe("first,second,third");
  });

  test.each([0, 1])(
    "all chunks that an earlier run wrote for step %i are copied before the step goes on",
    async (index) => {
      const { run, steps } = server.schema.addRun(chunksOf(4, 1), [{ slug: "first" }, { slug: "second" }]);
      const earlier = [1, 2, 3].map((id) => ({ records: [{ id: String(id), data: {} }], rejected: [], dropped: [] }));
      steps[index]?.toCopy.push(
        ...earlier.map((outcome, chunkIndex): [number, ChunkOutcome][] => [[chunkIndex, outcome]]),
      );
      expect(await runOn(server, run.id, [tracingStep("first"), tracingStep("second")])).toEqual({
        status: "succeeded",
      });
      const trails = [...(steps[index]?.written.values() ?? [])].map(({ records }) => records[0]?.data.trail);
      expect(trails.map((trail) => trail !== undefined)).toEqual([false, false, false, true]);
      expect(steps.map(({ attempt }) => attempt)).toEqual([1, 1]);
    },
  );

  test("the end of a step does not start a step that has a condition on the run or a task of its own", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(1), [
      { slug: "first" },
      { slug: "asks", run_if: "run.record_count > 100" },
      { slug: "second" },
      { slug: "outside", execution_mode: "task" },
    ]);
    const outside = stepOf("outside", { executionMode: "task" });
    let statusBefore: string | undefined;
    const runStepTask = () => {
      statusBefore = steps[3]?.status;
      return Promise.reject(new Error("enough"));
    };
    const parts = [tracingStep("first"), tracingStep("asks"), tracingStep("second"), outside];
    await expect(runOn(server, run.id, parts, { runStepTask })).rejects.toThrow("enough");
    expect(steps.map(({ status }) => status)).toEqual(["succeeded", "skipped", "succeeded", "pending"]);
    expect(statusBefore).toBe("pending");
  });
});

describe("failure", () => {
  test("a failed step fails the run with its code, and later steps do not start", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(1), [{ slug: "breaks" }, { slug: "after" }]);
    const breaks = stepOf("breaks", {
      processChunk: () => {
        throw finalError("column_missing", "The batch has no column domain.", { details: { column: "domain" } });
      },
    });
    const after = vi.fn();
    const outcome = await runOn(server, run.id, [breaks, stepOf("after", { processChunk: after })]);
    expect(outcome).toEqual({ status: "failed", message: "column_missing: The batch has no column domain." });
    expect(server.schema.run(run.id)).toMatchObject({
      status: "failed",
      error: { code: "column_missing", details: { column: "domain" } },
    });
    expect(steps.map(({ status }) => status)).toEqual(["failed", "skipped"]);
    expect(after).not.toHaveBeenCalled();
  });

  test("a defect in a step fails the run without repeating the text of the exception", async () => {
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "defect" }]);
    const defect = stepOf("defect", {
      processChunk: () => {
        throw new TypeError("cannot read sk_live_secret");
      },
    });
    await runOn(server, run.id, [defect]);
    const { error } = server.schema.run(run.id);
    expect(error).toMatchObject({ code: "internal_error", details: { error: "TypeError" } });
    expect(JSON.stringify(error)).not.toContain("sk_live");
  });

  test("a step that loses a record fails the run with ledger_unbalanced", async () => {
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "loses" }]);
    const loses = stepOf("loses", {
      processChunk: (records) => ({ records: records.slice(1), rejected: [], dropped: [] }),
    });
    await runOn(server, run.id, [loses]);
    expect(server.schema.run(run.id).error?.code).toBe("ledger_unbalanced");
  });

  test("an unavailable Data API fails nothing and is left to the next attempt", async () => {
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "keep" }]);
    server.failNext("finish_pipeline_run", "reset", "reset", "reset");
    await expect(runOn(server, run.id, [stepOf("keep")])).rejects.toMatchObject({ code: "data_api_unavailable" });
    expect(server.schema.run(run.id).status).toBe("running");
    await expect(runOn(server, run.id, [stepOf("keep")])).resolves.toEqual({ status: "succeeded" });
  });
});

describe("a step that the worker cannot run is refused before the first step starts", () => {
  test.each([
    ["a slug that the worker does not have", { slug: "absent" }, "unknown_step"],
    ["another major version", { slug: "strict", version: "2.0.0", config: { field: "a" } }, "step_version_unsupported"],
    [
      "a step that the snapshot gives a task of its own",
      { slug: "strict", execution_mode: "task" },
      "step_task_mismatch",
    ],
    ["a step that the snapshot has in another task", { slug: "strict", task_id: "elsewhere" }, "step_task_mismatch"],
    ["a config that the schema refuses", { slug: "strict", config: { field: 7 } }, "invalid_step_config"],
  ])("%s", async (_, step, code) => {
    const { run, steps } = server.schema.addRun(chunksOf(1), [{ slug: "keep" }, step]);
    const strict = stepOf("strict", { configSchema: z.object({ field: z.string() }) });
    const outcome = await runOn(server, run.id, [stepOf("keep"), strict]);
    expect(outcome.status).toBe("failed");
    expect(server.schema.run(run.id).error).toMatchObject({ code, position: 2, slug: step.slug });
    expect(server.callsOf("start_step")).toHaveLength(0);
    expect(steps.map(({ status }) => status)).toEqual(["skipped", "skipped"]);
  });

  test("an older minor version in the snapshot runs, with the config's defaults filled in", async () => {
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "greets", version: "1.0.3" }]);
    const seen: unknown[] = [];
    const greets = stepOf("greets", {
      configSchema: z.object({ greeting: z.string().default("hello") }),
      processChunk: (records, { config }) => {
        seen.push(config);
        return { records, rejected: [], dropped: [] };
      },
    });
    expect(await runOn(server, run.id, [greets])).toEqual({ status: "succeeded" });
    expect(seen).toEqual([{ greeting: "hello" }]);
  });
});

describe("a run that this worker may not work on", () => {
  test("a finished run is left alone", async () => {
    const added = server.schema.addRun(chunksOf(1), [{ slug: "keep" }]);
    added.status = "cancelled";
    const outcome = await runOn(server, added.run.id, [stepOf("keep")]);
    expect(outcome).toEqual({ status: "ended", reason: "pipeline_run_finished" });
    expect(server.calls).toHaveLength(1);
  });

  test("a run that is not admitted is left alone", async () => {
    const added = server.schema.addRun(chunksOf(1), [{ slug: "keep" }]);
    added.status = "waiting";
    const outcome = await runOn(server, added.run.id, [stepOf("keep")]);
    expect(outcome).toEqual({ status: "ended", reason: "not_admitted" });
    expect(server.calls).toHaveLength(1);
  });

  test("a run that another worker holds is left alone", async () => {
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "keep" }]);
    await server.client().claimPipelineRun(run.id, "run_of_another");
    const outcome = await runOn(server, run.id, [stepOf("keep")]);
    expect(outcome).toEqual({ status: "ended", reason: "claimed_elsewhere" });
  });

  test("a cancelled run stops at the next chunk and records nothing", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(5), [{ slug: "keep" }]);
    let before: number | undefined;
    server.onCall(({ name, args }) => {
      if (name !== "write_chunk" || args.p_chunk_index !== 2) return;
      before = steps[0]?.written.size;
      server.schema.cancel(run.id);
    });
    const outcome = await runOn(server, run.id, [stepOf("keep")]);
    expect(outcome).toEqual({ status: "ended", reason: "pipeline_run_cancelled" });
    expect(before).toBeGreaterThan(0);
    expect(steps[0]?.written.size).toBe(before);
    expect(server.callsOf("fail_step")).toHaveLength(0);
  });

  test("a new claim stops the older attempt", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(4), [{ slug: "keep" }]);
    const written = () => [...(steps[0]?.written.keys() ?? [])];
    let before: number[] | undefined;
    server.onCall(({ name, args }) => {
      if (name !== "write_chunk" || args.p_chunk_index !== 1 || before !== undefined) return;
      before = written();
      server.schema.call("claim_pipeline_run", { p_pipeline_run_id: run.id, p_trigger_run_id: "run_1" });
    });
    const older = await runOn(server, run.id, [stepOf("keep")]);
    expect(older).toEqual({ status: "ended", reason: "claim_lost" });
    expect(before).not.toContain(1);
    expect(written()).toEqual(before);
    expect(server.schema.run(run.id).status).toBe("running");
  });

  test("a heartbeat that finds the run cancelled aborts a step that is waiting", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "waits", retry: { max_attempts: 5 } }]);
    const waits = stepOf("waits", {
      processChunk: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
          server.schema.cancel(run.id);
          vi.advanceTimersByTime(5_000);
        }),
    });
    const outcome = await runOn(server, run.id, [waits]);
    expect(outcome).toEqual({ status: "ended", reason: "pipeline_run_cancelled" });
    expect(server.callsOf("fail_step")).toHaveLength(0);
    expect(server.callsOf("start_step")).toHaveLength(1);
  });

  test("a heartbeat that is not answered does not stop the work", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "slow" }]);
    server.failNext("heartbeat", "reset", "reset", "reset");
    const slow = stepOf("slow", {
      processChunk: async (records) => {
        await vi.waitUntil(() => {
          vi.advanceTimersByTime(3_000);
          return server.callsOf("heartbeat").length === 3;
        });
        return { records, rejected: [], dropped: [] };
      },
    });
    expect(await runOn(server, run.id, [slow])).toEqual({ status: "succeeded" });
  });

  test("an unanswered heartbeat delays neither the next one nor the cancellation that it finds", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "waits" }]);
    let hung = false;
    server.onCall(async ({ name }) => {
      if (name !== "heartbeat" || hung) return;
      hung = true;
      server.schema.cancel(run.id);
      await new Promise(() => undefined);
    });
    const waits = stepOf("waits", {
      processChunk: (_, { signal }) =>
        vi
          .waitUntil(() => (vi.advanceTimersByTime(3_000), signal.aborted), { timeout: 20_000 })
          .then(() => signal.throwIfAborted() as never),
    });
    const patient = new DataApi(server.url, secretKey);
    const begun = performance.now();
    expect(await runOn(server, run.id, [waits], { dataApi: patient })).toMatchObject({ status: "ended" });
    // Without its short limit the call would wait half a minute.
    expect(performance.now() - begun).toBeLessThan(15_000);
  });
});
