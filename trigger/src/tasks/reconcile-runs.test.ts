import { randomUUID } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";

import { DataApiServer, secretKey } from "../testing/data-api-server";
import { attempt, importTasks } from "../testing/task-functions";

/** The calls of Trigger.dev's API that the reconciler makes: starting a run under its key, looking at runs, cancelling. */
const triggered: { path: string | undefined; headers: IncomingHttpHeaders; body: TriggerBody }[] = [];
const runsByKey = new Map<string, string>();
const cancelledRuns = new Set<string>();
/** Runs that Trigger.dev knows beside those started here, by id. */
const knownRuns = new Map<string, { pipelineRunId: string; status: string }>();
let cancelsFail = false;
let refused: (body: TriggerBody) => boolean = () => false;

interface TriggerBody {
  payload: { pipeline_run_id: string };
  options: { idempotencyKey: string; concurrencyKey: string; tags: string[] };
}

const triggerApi = createServer((request, response) => {
  void (async () => {
    let text = "";
    for await (const part of request.setEncoding("utf8")) text += String(part);
    const url = new URL(request.url ?? "/", "http://trigger.example");
    const answer = (status: number, json: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
    const id = url.pathname.split("/")[4] ?? "";
    if (url.pathname === "/api/v1/runs") {
      const tag = url.searchParams.get("filter[tag]");
      const found = [...knownRuns].filter(([, { pipelineRunId }]) => tag === `pipeline_run:${pipelineRunId}`);
      return answer(200, { data: found.map(([id]) => ({ ...retrieved(id), env: environment })), pagination: {} });
    }
    if (request.method === "GET") {
      const isKnown = knownRuns.has(id) || [...runsByKey.values()].includes(id);
      return isKnown ? answer(200, retrieved(id)) : answer(404, { error: "Run not found" });
    }
    if (url.pathname.endsWith("/cancel")) {
      if (cancelsFail) return answer(400, { error: "No." });
      cancelledRuns.add(id);
      return answer(200, { id });
    }
    const body = JSON.parse(text) as TriggerBody;
    triggered.push({ path: request.url, headers: request.headers, body });
    const { idempotencyKey } = body.options;
    const isCached = runsByKey.has(idempotencyKey);
    if (!isCached) runsByKey.set(idempotencyKey, `run_${runsByKey.size + 1}`);
    return refused(body) ? answer(422, { error: "No." }) : answer(200, { id: runsByKey.get(idempotencyKey), isCached });
  })();
});

const environment = { id: "env_1", name: "dev" };

function retrieved(id: string) {
  const known = knownRuns.get(id);
  const isCancelled = cancelledRuns.has(id);
  return {
    ...{
      id,
      taskIdentifier: "run-pipeline",
      status: isCancelled ? "CANCELED" : (known?.status ?? "QUEUED"),
      tags: known ? [`pipeline_run:${known.pipelineRunId}`] : [],
      depth: 0,
      triggerFunction: "trigger",
    },
    ...{ createdAt: new Date(), updatedAt: new Date(), durationMs: 0, costInCents: 0, baseCostInCents: 0 },
    ...{ isTest: false, isQueued: !isCancelled, isExecuting: false, isWaiting: false, isSuccess: false },
    ...{ isCompleted: isCancelled, isFailed: isCancelled, isCancelled, attemptCount: 0, attempts: [], relatedRuns: {} },
  };
}

let server: DataApiServer;
beforeAll(async () => {
  server = await DataApiServer.start();
  await new Promise<void>((resolve) => triggerApi.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("SUPABASE_URL", server.url);
  vi.stubEnv("SUPABASE_SECRET_KEY", secretKey);
  vi.stubEnv("TRIGGER_API_URL", `http://127.0.0.1:${(triggerApi.address() as AddressInfo).port}`);
  vi.stubEnv("TRIGGER_SECRET_KEY", "tr_dev_test");
  await importTasks(() => import("./reconcile-runs"));
});
beforeEach(() => {
  triggered.length = 0;
  runsByKey.clear();
  cancelledRuns.clear();
  knownRuns.clear();
  cancelsFail = false;
  server.calls.length = 0;
  server.schema.dispatched.length = 0;
  server.schema.starts = [];
  server.schema.suspects = [];
  server.schema.repaired.length = 0;
  refused = () => false;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  triggerApi.closeAllConnections();
  triggerApi.close();
  await server.stop();
});

function dueRuns(count: number) {
  return Array.from({ length: count }, () => {
    const id = randomUUID();
    return { pipeline_run_id: id, org_id: randomUUID(), idempotency_key: id, repair: "not_dispatched" };
  });
}

test("each run that is due is started under its key, its org and its tags, and marked dispatched", async () => {
  server.schema.starts = dueRuns(2);
  const counts = await attempt("reconcile-runs", {});
  expect(counts).toEqual({
    ...{ found: 2, started: 2, not_started: 0, suspects: 0, admitted: 0, repairs: { not_dispatched: 2 } },
    expired_submissions: 0,
  });
  for (const [index, start] of server.schema.starts.entries()) {
    const { pipeline_run_id, org_id, idempotency_key } = start;
    expect(triggered[index]).toMatchObject({
      path: "/api/v1/tasks/run-pipeline/trigger",
      headers: { authorization: "Bearer tr_dev_test" },
      body: {
        payload: { pipeline_run_id },
        options: {
          idempotencyKey: idempotency_key,
          concurrencyKey: org_id,
          tags: [`pipeline_run:${pipeline_run_id}`, `org:${org_id}`],
        },
      },
    });
    expect(server.schema.dispatched).toContainEqual({
      pipelineRunId: pipeline_run_id,
      triggerRunId: runsByKey.get(idempotency_key),
    });
  }
});

test("reconciling again while Trigger.dev still holds the run starts no second one", async () => {
  server.schema.starts = dueRuns(1);
  await attempt("reconcile-runs", {}, "run_minute_1");
  await attempt("reconcile-runs", {}, "run_minute_2");
  expect(runsByKey.size).toBe(1);
  expect(new Set(server.schema.dispatched.map(({ triggerRunId }) => triggerRunId)).size).toBe(1);
});

test("a start that was cancelled in Trigger.dev is replaced by another, which is kept", async () => {
  server.schema.starts = dueRuns(1);
  await attempt("reconcile-runs", {}, "run_minute_1");
  cancelledRuns.add("run_1");
  await attempt("reconcile-runs", {}, "run_minute_2");
  await attempt("reconcile-runs", {}, "run_minute_3");
  expect(server.schema.dispatched.map(({ triggerRunId }) => triggerRunId)).toEqual(["run_1", "run_2", "run_2"]);
  expect(server.callsOf("replace_start")).toHaveLength(1);
});

test("a run that Trigger.dev refuses does not keep the others from starting", async () => {
  server.schema.starts = dueRuns(25);
  const bad = server.schema.starts[3]?.pipeline_run_id;
  refused = ({ payload }) => payload.pipeline_run_id === bad;
  expect(await attempt("reconcile-runs", {})).toMatchObject({ found: 25, started: 24, not_started: 1 });
  expect(server.schema.dispatched).toHaveLength(24);
  expect(server.schema.dispatched.map(({ pipelineRunId }) => pipelineRunId)).not.toContain(bad);
});

test("without due runs nothing is started", async () => {
  expect(await attempt("reconcile-runs", {})).toMatchObject({ found: 0, started: 0 });
  expect(triggered).toHaveLength(0);
});

function suspect(triggerRunId: string | null, ended = false) {
  const [found] = (server.schema.suspects = [{ pipeline_run_id: randomUUID(), trigger_run_id: triggerRunId, ended }]);
  if (!found) throw new Error("no suspect");
  return found;
}

test.each(["QUEUED", "DEQUEUED", "EXECUTING", "WAITING", "DELAYED", "PENDING_VERSION"])(
  "a suspect that is %s at Trigger.dev is left alone",
  async (status) => {
    const { pipeline_run_id } = suspect("run_there");
    knownRuns.set("run_there", { pipelineRunId: pipeline_run_id, status });
    expect(await attempt("reconcile-runs", {})).toMatchObject({ suspects: 1, started: 0, repairs: {} });
    expect(server.schema.repaired).toEqual([]);
  },
);

test.each(["COMPLETED", "CANCELED", "FAILED", "CRASHED", "SYSTEM_FAILURE", "EXPIRED", "TIMED_OUT"])(
  "a suspect that is %s at Trigger.dev is started again, once",
  async (status) => {
    const { pipeline_run_id } = suspect("run_there");
    knownRuns.set("run_there", { pipelineRunId: pipeline_run_id, status });
    expect(await attempt("reconcile-runs", {})).toMatchObject({ started: 1, repairs: { start_ended: 1 } });
    expect(server.schema.repaired).toEqual([{ pipelineRunId: pipeline_run_id, finding: "ended" }]);
    expect(await attempt("reconcile-runs", {})).toMatchObject({ suspects: 0, started: 0, repairs: {} });
  },
);

test.each([
  ["that Trigger.dev does not know", "run_gone"],
  ["whose Trigger.dev run was never recorded", null],
  ["whose recorded id is no id", "../../v2/runs/run_other/cancel?"],
  ["whose recorded id is another run's", "run_of_another"],
])("a suspect %s is started again", async (_, triggerRunId) => {
  knownRuns.set("run_of_another", { pipelineRunId: randomUUID(), status: "EXECUTING" });
  suspect(triggerRunId);
  expect(await attempt("reconcile-runs", {})).toMatchObject({ started: 1, repairs: { start_unknown: 1 } });
  expect(cancelledRuns.size).toBe(0);
});

test("the live tasks of a cancelled run are stopped: its own and a step's", async () => {
  const { pipeline_run_id } = suspect("run_parent", true);
  for (const [id, status] of [
    ["run_parent", "WAITING"],
    ["run_child", "EXECUTING"],
    ["run_over", "COMPLETED"],
  ] as const) {
    knownRuns.set(id, { pipelineRunId: pipeline_run_id, status });
  }
  knownRuns.set("run_of_another", { pipelineRunId: randomUUID(), status: "EXECUTING" });
  expect(await attempt("reconcile-runs", {})).toMatchObject({ started: 0, repairs: { stopped: 1 } });
  expect([...cancelledRuns].sort()).toEqual(["run_child", "run_parent"]);
  expect(await attempt("reconcile-runs", {})).toMatchObject({ suspects: 0, repairs: {} });
});

test("a cancelled run without a live task needs no repair, and is looked up once", async () => {
  suspect("run_gone", true);
  expect(await attempt("reconcile-runs", {})).toMatchObject({ suspects: 1, repairs: {} });
  expect(server.schema.repaired).toMatchObject([{ finding: "quiet" }]);
});

test("a run that could not be stopped is stopped in the next minute", async () => {
  const { pipeline_run_id } = suspect("run_parent", true);
  knownRuns.set("run_parent", { pipelineRunId: pipeline_run_id, status: "EXECUTING" });
  cancelsFail = true;
  expect(await attempt("reconcile-runs", {})).toMatchObject({ repairs: {} });
  expect(server.schema.repaired).toEqual([]);
  cancelsFail = false;
  expect(await attempt("reconcile-runs", {})).toMatchObject({ repairs: { stopped: 1 } });
});
