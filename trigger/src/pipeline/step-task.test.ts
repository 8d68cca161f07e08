import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";

import { finalError } from "../errors";
import { queueingLeaseSeconds } from "../platform/limits";
import type { ChunkOutcome, PipelineRecord } from "../tasks/steps/step";
import { DataApiServer, secretKey } from "../testing/data-api-server";
import { chunksOf, runOn, stepOf, tracingStep } from "../testing/pipeline";
import { attempt, importTasks } from "../testing/task-functions";
import type { StepTaskPayload } from "../worker-api/claim";
import type { PipelineParts, StepTaskResult } from "./run";
import { stepTask } from "./step-task";

const keep = (records: PipelineRecord[]): ChunkOutcome => ({ records, rejected: [], dropped: [] });
let deliver: (records: PipelineRecord[], chunkIndex: number) => ChunkOutcome = keep;
const delivers = stepOf("delivers", {
  executionMode: "task",
  configSchema: z.object({ url: z.string() }),
  processChunk: (records, { chunkIndex }) => deliver(records, chunkIndex),
});

let server: DataApiServer;
beforeAll(async () => {
  server = await DataApiServer.start();
  vi.stubEnv("SUPABASE_URL", server.url);
  vi.stubEnv("SUPABASE_SECRET_KEY", secretKey);
  await importTasks(() => Promise.resolve(stepTask(delivers)));
});
beforeEach(() => {
  server.calls.length = 0;
  deliver = keep;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.stop();
});

/** What Trigger.dev tells the waiting parent about one run of the child. */
async function runChild(payload: StepTaskPayload): Promise<StepTaskResult> {
  try {
    // The payload crosses the wire.
    await attempt("delivers", JSON.parse(JSON.stringify(payload)));
    return { ok: true };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : "" };
  }
}

function addRun(url: unknown = "http://receiver.example", chunks = 3) {
  return server.schema.addRun(chunksOf(chunks), [
    { slug: "first" },
    { slug: "delivers", config: { url }, execution_mode: "task" },
    { slug: "last" },
  ]);
}

function runParent(id: string, runStepTask: PipelineParts["runStepTask"], triggerRunId = "run_1") {
  return runOn(server, id, [tracingStep("first"), delivers, tracingStep("last")], { runStepTask, triggerRunId });
}

describe("a step in its own task", () => {
  test("works between inline steps, under the parent's claim", async () => {
    const { run, steps } = addRun();
    expect(await runParent(run.id, runChild)).toEqual({ status: "succeeded" });
    expect(steps.map(({ status, written }) => [status, written.size])).toEqual([
      ["succeeded", 3],
      ["succeeded", 3],
      ["succeeded", 3],
    ]);
    expect(server.callsOf("claim_pipeline_run")).toHaveLength(1);
  });

  test("extends the claim while both tasks may be queued and no heartbeat is sent", async () => {
    const { run, leaseSeconds } = addRun();
    await runParent(run.id, runChild);
    // Once before the child is queued, and once before the parent may be queued to resume.
    expect(leaseSeconds.filter((seconds) => seconds > 60)).toHaveLength(2);
    expect(leaseSeconds.at(-1)).toBe(60);
  });

  test("a heartbeat under way when the parent begins to wait does not shorten the claim", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { run, leaseSeconds } = addRun();
    let held = false;
    server.onCall(async ({ name, args }) => {
      if (args.p_claim_id !== server.schema.run(run.id).claimId) return;
      if (name === "end_step" && !held) vi.advanceTimersByTime(5_000);
      if (name !== "heartbeat" || held) return;
      held = true;
      await new Promise((resolve) => setTimeout(resolve, 100));
    });
    let leaseWhileQueueing: number | undefined;
    await runParent(run.id, (payload) => {
      leaseWhileQueueing = leaseSeconds.at(-1);
      return runChild(payload);
    });
    vi.useRealTimers();
    expect(leaseSeconds[0]).toBe(60);
    expect(leaseWhileQueueing).toBe(queueingLeaseSeconds);
  });

  test("a failure of the child is recorded once, with the child's code, and the parent fails too", async () => {
    const { run, steps } = addRun();
    deliver = () => {
      throw finalError("webhook_refused", "The receiver answered 410.");
    };
    const outcome = await runParent(run.id, runChild);
    expect(outcome).toEqual({ status: "failed", message: "webhook_refused: The receiver answered 410." });
    expect(server.schema.run(run.id).error?.code).toBe("webhook_refused");
    expect(server.callsOf("fail_step")).toHaveLength(1);
    expect(steps.map(({ status }) => status)).toEqual(["succeeded", "failed", "skipped"]);
  });

  test("a child whose process died is started again under a new key, and delivers each chunk once", async () => {
    const { run } = addRun();
    const delivered: number[] = [];
    deliver = (records, chunkIndex) => {
      delivered.push(chunkIndex);
      return keep(records);
    };
    const keys: string[] = [];
    const outcome = await runParent(run.id, async (payload, key) => {
      keys.push(key);
      if (keys.length > 1) return runChild(payload);
      const { claim_id, step } = payload;
      const api = server.client();
      await api.startStep(step.step_result_id, claim_id);
      const records = await api.readChunk(step.step_result_id, 0);
      await api.writeChunk(step.step_result_id, claim_id, { chunkIndex: 0, outcome: keep(records) });
      return { ok: false, message: "The process exited with code 137." };
    });
    expect(outcome).toEqual({ status: "succeeded" });
    expect(delivered).toEqual([1, 2]);
    expect(new Set(keys).size).toBe(2);
  });

  test("a child that Trigger.dev calls ended, but that still runs, is shut out before the next one starts", async () => {
    const { run } = addRun();
    const payloads: StepTaskPayload[] = [];
    const outcome = await runParent(run.id, async (payload) => {
      payloads.push({ ...payload });
      if (payloads.length === 1) return { ok: false, message: "The run was cancelled." };
      const [{ claim_id, step }] = payloads as [StepTaskPayload];
      const api = server.client();
      await expect(api.startStep(step.step_result_id, claim_id)).rejects.toMatchObject({ code: "claim_lost" });
      return runChild(payload);
    });
    expect(outcome).toEqual({ status: "succeeded" });
    expect(payloads).toHaveLength(2);
  });

  test("a run that another attempt claims meanwhile starts no other child", async () => {
    const { run } = addRun();
    let starts = 0;
    const outcome = await runParent(run.id, async () => {
      starts++;
      server.schema.run(run.id).triggerRunId = "run_of_another_attempt";
      return { ok: false, message: "The run was cancelled." };
    });
    expect(outcome).toEqual({ status: "ended", reason: "claim_lost" });
    expect(starts).toBe(1);
  });

  test("a child that dies each time fails the run with step_task_failed", async () => {
    const { run } = addRun();
    const runStepTask = vi.fn(() => Promise.resolve({ ok: false as const, message: "The run expired." }));
    expect((await runParent(run.id, runStepTask)).status).toBe("failed");
    expect(runStepTask).toHaveBeenCalledTimes(3);
    expect(server.schema.run(run.id).error).toMatchObject({
      code: "step_task_failed",
      details: { last: "The run expired." },
    });
  });

  test("a delivery that needs many task runs does not fail while each of them writes a chunk", async () => {
    const { run, steps } = addRun(undefined, 7);
    let starts = 0;
    const outcome = await runParent(run.id, async ({ claim_id, step }) => {
      // The hour of this task run is over after one more chunk.
      const api = server.client();
      const started = await api.startStep(step.step_result_id, claim_id);
      const records = await api.readChunk(step.step_result_id, starts);
      await api.writeChunk(step.step_result_id, claim_id, { chunkIndex: starts++, outcome: keep(records) });
      if (started.status === "running" && starts === 7) {
        await api.endStep(step.step_result_id, claim_id, {});
        return { ok: true };
      }
      return { ok: false, message: "Run exceeded maximum compute time." };
    });
    expect(outcome).toEqual({ status: "succeeded" });
    expect(starts).toBe(7);
    expect(steps[1]?.written.size).toBe(7);
  });

  test("a child that wrote a chunk and then dies three times in a row fails the run", async () => {
    const { run } = addRun();
    let starts = 0;
    const outcome = await runParent(run.id, async ({ claim_id, step }) => {
      if (starts++ === 0) {
        const api = server.client();
        await api.startStep(step.step_result_id, claim_id);
        const records = await api.readChunk(step.step_result_id, 0);
        await api.writeChunk(step.step_result_id, claim_id, { chunkIndex: 0, outcome: keep(records) });
      }
      return { ok: false, message: "The process exited with code 137." };
    });
    expect(outcome.status).toBe("failed");
    expect(starts).toBe(3);
    expect(server.schema.run(run.id).error?.code).toBe("step_task_failed");
  });

  test("a parent that is started again shuts the old child out and starts its own", async () => {
    const { run, steps } = addRun();
    const keys: string[] = [];
    let second: Promise<unknown> | undefined;
    deliver = (records, chunkIndex) => {
      // The first child is in the middle of its chunks when its parent's next attempt begins.
      if (chunkIndex === 1 && !second) {
        second = runParent(run.id, (payload, key) => {
          keys.push(key);
          return runChild(payload);
        });
      }
      return keep(records);
    };
    let oldChild: unknown;
    const first = await runParent(run.id, async (payload, key) => {
      keys.push(key);
      oldChild = await attempt("delivers", payload);
      return { ok: true };
    });
    expect(await second).toEqual({ status: "succeeded" });
    expect(["claim_lost", "pipeline_run_finished"]).toContain((first as { reason?: string }).reason);
    expect(oldChild).toMatchObject({ outcome: "ended" });
    expect(new Set(keys).size).toBe(2);
    expect(steps.map(({ written }) => written.size)).toEqual([3, 3, 3]);
    expect(server.callsOf("fail_step")).toHaveLength(0);
  });

  test("a run that was cancelled while its child queued ends quietly in child and parent", async () => {
    const { run } = addRun();
    let child: unknown;
    const outcome = await runParent(run.id, async (payload) => {
      server.schema.cancel(run.id);
      child = await attempt("delivers", payload);
      return { ok: true };
    });
    expect(child).toEqual({ outcome: "ended", reason: "pipeline_run_cancelled" });
    expect(outcome).toEqual({ status: "ended", reason: "pipeline_run_cancelled" });
  });

  test("a config that the child's schema refuses never starts the child", async () => {
    const { run } = addRun(7);
    const runStepTask = vi.fn(runChild);
    expect((await runParent(run.id, runStepTask)).status).toBe("failed");
    expect(runStepTask).not.toHaveBeenCalled();
    expect(server.schema.run(run.id).error?.code).toBe("invalid_step_config");
  });

  test("a payload of another shape is refused before any work", async () => {
    await expect(attempt("delivers", { pipeline_run_id: "x" })).rejects.toThrow();
    expect(server.calls).toHaveLength(0);
  });
});
