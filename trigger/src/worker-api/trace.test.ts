import { trace as tracing } from "@opentelemetry/api";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";

import { stepTask } from "../pipeline/step-task";
import { type Call, DataApiServer, secretKey } from "../testing/data-api-server";
import { chunksOf, runOn, stepOf, tracingStep } from "../testing/pipeline";
import { attempt, importTasks } from "../testing/task-functions";
import { traceparentOf } from "./trace";

const delivers = stepOf("delivers", { executionMode: "task" });

let server: DataApiServer;
beforeAll(async () => {
  server = await DataApiServer.start();
  vi.stubEnv("SUPABASE_URL", server.url);
  vi.stubEnv("SUPABASE_SECRET_KEY", secretKey);
  await importTasks(() => Promise.resolve(stepTask(delivers)));
});
beforeEach(() => {
  server.calls.length = 0;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.stop();
});

function traceIdOf({ headers }: Call): string | undefined {
  return /^00-([0-9a-f]{32})-[0-9a-f]{16}-01$/.exec(String(headers.traceparent))?.[1];
}

describe("the calls to the Data API", () => {
  test("name the run's trace and request in each call after the claim, also in a step's own task", async () => {
    const { run } = server.schema.addRun(chunksOf(2), [
      { slug: "first" },
      { slug: "delivers", execution_mode: "task" },
    ]);
    await runOn(server, run.id, [tracingStep("first"), delivers], {
      runStepTask: async (payload) => {
        await attempt("delivers", JSON.parse(JSON.stringify(payload)));
        return { ok: true };
      },
    });
    const [claim, ...calls] = server.calls;
    expect(claim?.headers.traceparent).toBeUndefined();
    expect(new Set(calls.map(({ name }) => name))).toEqual(
      new Set(["start_step", "read_chunk", "write_chunk", "end_step", "heartbeat", "finish_pipeline_run"]),
    );
    for (const call of calls) {
      expect([call.name, traceIdOf(call)]).toEqual([call.name, run.trace_id]);
      expect([call.name, call.headers["x-request-id"]]).toEqual([call.name, run.request_id]);
    }
    expect(new Set(calls.map(({ headers }) => headers.traceparent)).size).toBe(calls.length);
  });

  test("for one run never name another run's trace", async () => {
    const [one, other] = [0, 1].map(() => server.schema.addRun(chunksOf(1), [{ slug: "first" }]).run);
    if (!one || !other) throw new Error("no runs");
    await Promise.all([one, other].map(({ id }) => runOn(server, id, [tracingStep("first")])));
    const traces = server.callsOf("finish_pipeline_run").map((call) => [call.args.p_pipeline_run_id, traceIdOf(call)]);
    expect(Object.fromEntries(traces)).toEqual({ [one.id]: one.trace_id, [other.id]: other.trace_id });
  });

  test("name no request when an operator created the run", async () => {
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "first" }]);
    run.request_id = null;
    await runOn(server, run.id, [tracingStep("first")]);
    for (const { headers } of server.calls) expect(headers).not.toHaveProperty("x-request-id");
  });
});

test("Trigger.dev's span of an attempt names the run, in the pipeline's task and in a step's own", async () => {
  const setAttributes = vi.fn();
  const span = vi.spyOn(tracing, "getActiveSpan").mockReturnValue({ setAttributes } as never);
  const { run } = server.schema.addRun(chunksOf(1), [{ slug: "delivers", execution_mode: "task" }]);
  await runOn(server, run.id, [delivers], {
    runStepTask: async (payload) => {
      await attempt("delivers", JSON.parse(JSON.stringify(payload)));
      return { ok: true };
    },
  });
  span.mockRestore();
  const { id, org_id, trace_id, request_id } = run;
  const marks = { pipeline_run_id: id, org_id, trace_id, request_id };
  expect(setAttributes.mock.calls).toEqual([[marks], [marks]]);
});

test("a trace that is not sampled is passed on as not sampled", () => {
  const trace = { trace_id: "ab".repeat(16), request_id: null };
  expect(traceparentOf({ ...trace, trace_sampled: true })).toMatch(/^00-(ab){16}-[0-9a-f]{16}-01$/);
  expect(traceparentOf({ ...trace, trace_sampled: false })).toMatch(/^00-(ab){16}-[0-9a-f]{16}-00$/);
});
