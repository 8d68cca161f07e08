import { AbortTaskRunError, ApiError } from "@trigger.dev/sdk";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { DataApiUnavailableError, finalError } from "../errors";
import { DataApiServer, secretKey } from "../testing/data-api-server";
import { chunksOf } from "../testing/pipeline";
import { attempt, callHook, importTasks } from "../testing/task-functions";
import { normalizeCompany } from "./steps/normalize-company";

let server: DataApiServer;
beforeAll(async () => {
  server = await DataApiServer.start();
  vi.stubEnv("SUPABASE_URL", server.url);
  vi.stubEnv("SUPABASE_SECRET_KEY", secretKey);
  await importTasks(() => import("./run-pipeline"));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.stop();
});

const unknownStep = { slug: "no-such-step", version: "1.0.0" };
const addRun = ({ slug, version }: { slug: string; version: string } = normalizeCompany) =>
  server.schema.addRun(chunksOf(2), [{ slug, version }]);

test("a run of registered steps succeeds", async () => {
  const { run, steps } = addRun();
  expect(await attempt("run-pipeline", { pipeline_run_id: run.id })).toEqual({ status: "succeeded" });
  expect(steps[0]?.written.size).toBe(2);
});

test("Trigger.dev does not retry a recorded failure", async () => {
  const { run } = addRun(unknownStep);
  await expect(attempt("run-pipeline", { pipeline_run_id: run.id })).rejects.toThrow(AbortTaskRunError);
  expect(server.schema.run(run.id).error?.code).toBe("unknown_step");
});

test("a run that was cancelled before it started is no failure", async () => {
  const { run } = addRun();
  server.schema.cancel(run.id);
  const outcome = await attempt("run-pipeline", { pipeline_run_id: run.id });
  expect(outcome).toEqual({ status: "ended", reason: "pipeline_run_finished" });
});

test.each([
  ["worker_outdated", { oldestContract: 1_000 }],
  ["database_outdated", { contractVersion: 0 }],
])("%s: the run is left for a worker that fits, and no hook fails it", async (code, contract) => {
  const { run } = addRun();
  const payload = { pipeline_run_id: run.id };
  const { oldestContract, contractVersion } = server.schema;
  Object.assign(server.schema, contract);
  const error = await attempt("run-pipeline", payload).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AbortTaskRunError);
  expect((error as Error).message).toMatch(new RegExp(`^${code}: `));
  await callHook("failure", "run-pipeline", payload, error);
  expect(server.schema.run(run.id)).toMatchObject({ status: "queued", error: undefined });
  Object.assign(server.schema, { oldestContract, contractVersion });
  expect(await attempt("run-pipeline", payload)).toEqual({ status: "succeeded" });
});

test("the end of a run starts the runs that are admitted next, however the run ended", async () => {
  for (const step of [normalizeCompany, unknownStep]) {
    server.calls.length = 0;
    await attempt("run-pipeline", { pipeline_run_id: addRun(step).run.id }).catch(() => undefined);
    expect(server.calls.at(-1)?.name).toBe("take_starts");
  }
});

test("a run that has succeeded does not fail when the next runs cannot be started", async () => {
  const { run } = addRun();
  server.failNext("take_starts", { status: 403 });
  expect(await attempt("run-pipeline", { pipeline_run_id: run.id })).toEqual({ status: "succeeded" });
});

test("a payload without a run's id is refused", async () => {
  await expect(attempt("run-pipeline", { pipeline_run_id: "17" })).rejects.toThrow();
});

test("when the last attempt failed, the run fails with the code of the error that stopped it", async () => {
  const { run } = addRun();
  await server.client().claimPipelineRun(run.id, "run_1");
  await callHook("failure", "run-pipeline", { pipeline_run_id: run.id }, finalError("data_api_refused", "No."));
  expect(server.schema.run(run.id)).toMatchObject({ status: "failed", error: { code: "data_api_refused" } });
});

test.each<[string, unknown]>([
  ["an unavailable Data API", new DataApiUnavailableError("Away.")],
  ["an unavailable Trigger.dev API", ApiError.generate(503, undefined, undefined, undefined)],
  ["a broken connection to Trigger.dev", ApiError.generate(undefined, new Error("ECONNRESET"), undefined, undefined)],
  ["a rate limit of Trigger.dev", ApiError.generate(429, undefined, undefined, undefined)],
])("%s does not fail the run, which the reconciler starts again", async (_, error) => {
  const { run } = addRun();
  await server.client().claimPipelineRun(run.id, "run_1");
  await callHook("failure", "run-pipeline", { pipeline_run_id: run.id }, error);
  expect(server.schema.run(run.id).status).toBe("running");
});

test("a final refusal by Trigger.dev fails the run", async () => {
  const { run } = addRun();
  await server.client().claimPipelineRun(run.id, "run_1");
  const refused = ApiError.generate(422, undefined, undefined, undefined);
  await callHook("failure", "run-pipeline", { pipeline_run_id: run.id }, refused);
  expect(server.schema.run(run.id)).toMatchObject({ status: "failed", error: { code: "internal_error" } });
});

test("the failure hook leaves a recorded failure as it is", async () => {
  const { run } = addRun(unknownStep);
  const payload = { pipeline_run_id: run.id };
  const error = await attempt("run-pipeline", payload).catch((reason: unknown) => reason);
  await callHook("failure", "run-pipeline", payload, error);
  expect(server.schema.run(run.id).error?.code).toBe("unknown_step");
});

test("the failure hook does not touch a run that another worker took over", async () => {
  const { run } = addRun();
  await server.client().claimPipelineRun(run.id, "run_of_another");
  await callHook("failure", "run-pipeline", { pipeline_run_id: run.id }, finalError("late", "Too late."));
  expect(server.schema.run(run.id).status).toBe("running");
});

test("a run that an operator cancels in Trigger.dev's dashboard fails, so that the reconciler does not start it again", async () => {
  const { run } = addRun();
  await server.client().claimPipelineRun(run.id, "run_1");
  await callHook("cancel", "run-pipeline", { pipeline_run_id: run.id });
  expect(server.schema.run(run.id)).toMatchObject({ status: "failed", error: { code: "trigger_run_cancelled" } });
});

test("a run that was cancelled through the API stays cancelled when Trigger.dev is told", async () => {
  const { run } = addRun();
  await server.client().claimPipelineRun(run.id, "run_1");
  server.schema.cancel(run.id);
  await callHook("cancel", "run-pipeline", { pipeline_run_id: run.id });
  expect(server.schema.run(run.id)).toMatchObject({ status: "cancelled", error: undefined });
});
