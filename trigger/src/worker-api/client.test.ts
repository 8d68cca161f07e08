import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { DataApiServer, secretKey } from "../testing/data-api-server";
import { chunksOf } from "../testing/pipeline";
import { DataApi } from "./client";

let server: DataApiServer;
beforeEach(async () => {
  server = await DataApiServer.start();
});
afterEach(() => server.stop());

async function claimedRun() {
  const added = server.schema.addRun(chunksOf(1), [{ slug: "keep" }]);
  const claimed = await server.client().claimPipelineRun(added.run.id, "run_1");
  if (claimed.outcome !== "claimed") throw new Error(claimed.outcome);
  const step = claimed.steps[0];
  if (!step) throw new Error("no step");
  await server.client().startStep(step.step_result_id, claimed.claim_id);
  return { added, claim: claimed, stepResultId: step.step_result_id };
}

describe("errors of the Data API", () => {
  test.each([["pipeline_run_cancelled"], ["pipeline_run_finished"], ["claim_lost"]])(
    "%s stops the work without a failure",
    async (code) => {
      const { added, claim } = await claimedRun();
      if (code === "pipeline_run_cancelled") added.status = "cancelled";
      else if (code === "pipeline_run_finished") added.status = "succeeded";
      else added.claimId = "another";
      await expect(server.client().heartbeat(claim)).rejects.toMatchObject({ name: "RunEndedError", code });
    },
  );

  test("another stable code is a final error with that code", async () => {
    const { claim, stepResultId } = await claimedRun();
    await expect(server.client().endStep(stepResultId, claim.claim_id, {})).rejects.toMatchObject({
      name: "StepError",
      code: "step_incomplete",
      retryable: false,
    });
    expect(server.callsOf("end_step")).toHaveLength(1);
  });

  test("details arrive as the object that SQL raised", async () => {
    const body = { code: "PT422", message: "No.", hint: "ledger_unbalanced", details: '{"missing":["3"]}' };
    server.failNext("heartbeat", { status: 422, body: JSON.stringify(body) });
    const { claim } = await claimedRun();
    await expect(server.client().heartbeat(claim)).rejects.toMatchObject({ details: { missing: ["3"] } });
  });

  test("a native database error is final and keeps its text out of the run", async () => {
    const { claim } = await claimedRun();
    const body = { code: "23505", message: "duplicate key (name)=(Acme)", details: null, hint: null };
    server.failNext("heartbeat", { status: 409, body: JSON.stringify(body) });
    const error = await server
      .client()
      .heartbeat(claim)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "internal_error", details: { database_code: "23505", status: 409 } });
    expect(JSON.stringify(error)).not.toContain("Acme");
  });

  test.each([["stalled"], ["truncated"]] as const)("an answer that is %s is tried again", async (fault) => {
    const { stepResultId } = await claimedRun();
    const impatient = new DataApi(server.url, secretKey, { timeoutMs: 300, backoff: { baseMs: 1, maxMs: 2 } });
    server.failNext("read_chunk", fault);
    expect(await impatient.readChunk(stepResultId, 0)).toHaveLength(2);
    expect(server.callsOf("read_chunk")).toHaveLength(2);
  });

  test("an aborted call ends with the signal's reason, also in the middle of the answer", async () => {
    const { stepResultId } = await claimedRun();
    server.failNext("read_chunk", "stalled");
    const controller = new AbortController();
    const read = server.client().readChunk(stepResultId, 0, controller.signal);
    setTimeout(() => controller.abort(new Error("the reason")), 50);
    await expect(read).rejects.toThrow("the reason");
    await expect(server.client().readChunk(stepResultId, 0, controller.signal)).rejects.toThrow("the reason");
    expect(server.callsOf("read_chunk")).toHaveLength(1);
  });

  test("a refused credential has a code of its own", async () => {
    const stranger = new DataApi(server.url, "sb_secret_of_someone_else");
    await expect(stranger.reconcilePipelineRuns(1)).rejects.toMatchObject({
      code: "data_api_refused",
      retryable: false,
    });
  });

  test("an answer of an unknown shape is an error", async () => {
    server.failNext("reconcile_pipeline_runs", { status: 200, body: '{"started":[]}' });
    await expect(server.client().reconcilePipelineRuns(1)).rejects.toMatchObject({ code: "internal_error" });
  });
});

function refusalOf(code: string): string {
  return JSON.stringify({ code, message: "PostgREST's message.", details: null, hint: null });
}

describe("a Data API that is away for a moment", () => {
  test.each([
    ["a 503", { status: 503 }],
    ["a 500", { status: 500 }],
    ["a 429", { status: 429 }],
    ["a reset connection", "reset"],
    ["a database that accepts no writes for now", { status: 405, body: refusalOf("25006") }],
    ["a schema cache that is out of date", { status: 404, body: refusalOf("PGRST202") }],
  ] as const)("%s is tried again", async (_, fault) => {
    const { claim } = await claimedRun();
    server.failNext("heartbeat", fault, fault);
    await server.client().heartbeat(claim);
    expect(server.callsOf("heartbeat")).toHaveLength(3);
  });

  test("a write whose answer was lost is repeated and counts once", async () => {
    const { added, claim, stepResultId } = await claimedRun();
    server.failNext("write_chunk", "lost");
    const outcome = { records: chunksOf(1)[0] ?? [], rejected: [], dropped: [] };
    await server.client().writeChunk(stepResultId, claim.claim_id, { chunkIndex: 0, outcome });
    expect(server.callsOf("write_chunk")).toHaveLength(2);
    expect(added.steps[0]?.written.size).toBe(1);
  });

  test("a call that is never answered times out and is tried again", async () => {
    const { claim } = await claimedRun();
    let held = false;
    server.onCall(async ({ name }) => {
      if (name !== "heartbeat" || held) return;
      held = true;
      await new Promise((resolve) => setTimeout(resolve, 150));
    });
    const impatient = new DataApi(server.url, secretKey, { timeoutMs: 50, backoff: { baseMs: 1, maxMs: 2 } });
    await impatient.heartbeat(claim);
    expect(server.callsOf("heartbeat")).toHaveLength(2);
  });

  test("one that stays away is data_api_unavailable, which is retryable", async () => {
    server.failNext("reconcile_pipeline_runs", "reset", "reset", "reset");
    await expect(server.client().reconcilePipelineRuns(1)).rejects.toMatchObject({
      name: "DataApiUnavailableError",
      code: "data_api_unavailable",
      retryable: true,
    });
  });
});
