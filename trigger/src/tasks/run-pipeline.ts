import { AbortTaskRunError, idempotencyKeys, schemaTask, tasks } from "@trigger.dev/sdk";
import { z } from "zod";

import { DataApi } from "../worker-api/client";
import { ContractError, DataApiUnavailableError, type RecordedError, toRecordedError } from "../errors";
import type { StepTaskPayload } from "../worker-api/claim";
import { checkContract } from "../platform/contract";
import { outOfMemory, stepTaskTtlSeconds } from "../platform/limits";
import { runPipeline, type StepTaskResult } from "../pipeline/run";
import { startNext } from "../platform/starts";
import { isTriggerAway } from "../platform/trigger-runs";
import { findStep } from "./steps";

const payloadSchema = z.object({ pipeline_run_id: z.guid() });

export const runPipelineTask = schemaTask({
  id: "run-pipeline",
  description: "Executes the steps of one pipeline run in order.",
  schema: payloadSchema,
  // Per org: whoever starts a run passes the org as the concurrency key. How many are started at all is decided by admission in
  // SQL; this is the most that an operator can set there.
  queue: { concurrencyLimit: 100 },
  // Another attempt claims the run again at once and goes on at the first chunk that is not written.
  retry: { maxAttempts: 3, minTimeoutInMs: 2_000, maxTimeoutInMs: 30_000, factor: 3, randomize: true, outOfMemory },
  run: async ({ pipeline_run_id }, { ctx, signal }) => {
    const dataApi = DataApi.fromEnv();
    const checked = checkContract(dataApi);
    const outcome = await runPipeline(pipeline_run_id, ctx.run.id, signal, { dataApi, findStep, runStepTask }).catch(
      (error: unknown) => {
        // No try of this worker's would go better. The run stays for one that fits, and the reconciler starts it again.
        if (error instanceof ContractError) throw new AbortTaskRunError(`${error.code}: ${error.message}`);
        throw error;
      },
    );
    await checked;
    await startNext(dataApi);
    // The failure is recorded; Trigger.dev shall show it too and not try again.
    if (outcome.status === "failed") throw new AbortTaskRunError(outcome.message);
    return outcome;
  },
  onFailure: async ({ payload, error, ctx }) => {
    // Not the run's fault: the reconciler starts it again when the database, or Trigger.dev's API, is back.
    if (error instanceof DataApiUnavailableError || isTriggerAway(error)) return;
    await failUnrecorded(payload.pipeline_run_id, ctx.run.id, toRecordedError(error));
  },
  // Cancelled in Trigger.dev's dashboard. Without this the reconciler would start the run again a minute later.
  onCancel: async ({ payload, ctx }) => {
    await failUnrecorded(payload.pipeline_run_id, ctx.run.id, {
      code: "trigger_run_cancelled",
      message: "The run's Trigger.dev task was cancelled by an operator.",
    });
  },
});

/** Hooks run apart from the attempt and have no claim; claiming again fences the attempt off and tells whether anything is left to record. */
async function failUnrecorded(pipelineRunId: string, triggerRunId: string, error: RecordedError): Promise<void> {
  const dataApi = DataApi.fromEnv();
  try {
    const claimed = await dataApi.claimPipelineRun(pipelineRunId, triggerRunId);
    if (claimed.outcome === "claimed") await dataApi.forRun(claimed.pipeline_run).failPipelineRun(claimed, error);
  } catch (refused) {
    // It never worked on the run, and is not to judge it.
    if (refused instanceof ContractError) return;
    throw refused;
  }
  await startNext(dataApi);
}

async function runStepTask(payload: StepTaskPayload, idempotencyKey: string): Promise<StepTaskResult> {
  const { id, org_id } = payload.pipeline_run;
  const result = await tasks.triggerAndWait(payload.step.task_id, payload, {
    // Global scope: the key names the claim itself, so it needs nothing of this Trigger.dev run.
    idempotencyKey: await idempotencyKeys.create(idempotencyKey, { scope: "global" }),
    concurrencyKey: org_id,
    tags: [`pipeline_run:${id}`, `org:${org_id}`],
    ttl: stepTaskTtlSeconds,
  });
  if (result.ok) return { ok: true };
  return { ok: false, message: result.error instanceof Error ? result.error.message : String(result.error) };
}
