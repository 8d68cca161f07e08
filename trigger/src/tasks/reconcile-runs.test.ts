import { randomUUID } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";

import { DataApiServer, secretKey } from "../testing/data-api-server";
import { attempt, importTasks } from "../testing/task-functions";

/** The calls of Trigger.dev's API that the reconciler makes: starting a run, under its key, and looking at it. */
const triggered: { path: string | undefined; headers: IncomingHttpHeaders; body: TriggerBody }[] = [];
const runsByKey = new Map<string, string>();
const cancelledRuns = new Set<string>();
let refused: (body: TriggerBody) => boolean = () => false;

interface TriggerBody {
  payload: { pipeline_run_id: string };
  options: { idempotencyKey: string; concurrencyKey: string; tags: string[] };
}

const triggerApi = createServer((request, response) => {
  void (async () => {
    let text = "";
    for await (const part of request.setEncoding("utf8")) text += String(part);
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(retrieved(request.url?.split("/").at(-1) ?? "")));
      return;
    }
    const body = JSON.parse(text) as TriggerBody;
    triggered.push({ path: request.url, headers: request.headers, body });
    const { idempotencyKey } = body.options;
    const isCached = runsByKey.has(idempotencyKey);
    if (!isCached) runsByKey.set(idempotencyKey, `run_${runsByKey.size + 1}`);
    const id = runsByKey.get(idempotencyKey);
    response.writeHead(refused(body) ? 422 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(refused(body) ? { error: "No." } : { id, isCached }));
  })();
});

function retrieved(id: string) {
  const isCancelled = cancelledRuns.has(id);
  return {
    ...{
      id,
      taskIdentifier: "run-pipeline",
      status: isCancelled ? "CANCELED" : "QUEUED",
      tags: [],
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
  server.calls.length = 0;
  server.schema.dispatched.length = 0;
  server.schema.starts = [];
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
    return { pipeline_run_id: id, org_id: randomUUID(), idempotency_key: id };
  });
}

test("each run that is due is started under its key, its org and its tags, and marked dispatched", async () => {
  server.schema.starts = dueRuns(2);
  const counts = await attempt("reconcile-runs", {});
  expect(counts).toEqual({ found: 2, started: 2, not_started: 0, failed: 0, expired_submissions: 0 });
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

test("a start that was cancelled in Trigger.dev is replaced by another, which then stays", async () => {
  server.schema.starts = dueRuns(1);
  await attempt("reconcile-runs", {}, "run_minute_1");
  cancelledRuns.add("run_1");
  await attempt("reconcile-runs", {}, "run_minute_2");
  await attempt("reconcile-runs", {}, "run_minute_3");
  expect(server.schema.dispatched.map(({ triggerRunId }) => triggerRunId)).toEqual(["run_1", "run_2", "run_2"]);
});

test("a run that Trigger.dev refuses keeps none of the others from starting", async () => {
  server.schema.starts = dueRuns(25);
  const bad = server.schema.starts[3]?.pipeline_run_id;
  refused = ({ payload }) => payload.pipeline_run_id === bad;
  expect(await attempt("reconcile-runs", {})).toMatchObject({ found: 25, started: 24, not_started: 1 });
  expect(server.schema.dispatched).toHaveLength(24);
  expect(server.schema.dispatched.map(({ pipelineRunId }) => pipelineRunId)).not.toContain(bad);
});

test("nothing due means nothing started", async () => {
  expect(await attempt("reconcile-runs", {})).toMatchObject({ found: 0, started: 0 });
  expect(triggered).toHaveLength(0);
});
