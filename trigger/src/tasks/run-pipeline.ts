import { AbortTaskRunError, idempotencyKeys, schemaTask, tasks } from "@trigger.dev/sdk";
import { z } from "zod";

import { ContractError, DataApiUnavailableError, type RecordedError, toRecordedError } from "../errors";
import { runPipeline, type StepTaskResult } from "../pipeline/run";
import { checkContract } from "../platform/contract-check";
import { outOfMemory, stepTaskTtlSeconds } from "../platform/limits";
import { startNext } from "../platform/starts";
import { isTriggerAway } from "../platform/trigger-runs";
import type { StepTaskPayload } from "../worker-api/claim";
import { DataApi } from "../worker-api/client";
import { findStep } from "./steps/registry";

const payloadSchema = z.object({ pipeline_run_id: z.guid() });

export const runPipelineTask = schemaTask({
  id: "run-pipeline",
  description: "Executes the steps of one pipeline run in order.",
  schema: payloadSchema,
  // For each org: every start passes the org as the concurrency key. Admission in SQL decides how many runs start; an
  // operator can set no more than this there.
  queue: { concurrencyLimit: 100 },
  // Another attempt claims the run again at once and goes on at the first unwritten chunk.
  retry: { maxAttempts: 3, minTimeoutInMs: 2_000, maxTimeoutInMs: 30_000, factor: 3, randomize: true, outOfMemory },
  run: async ({ pipeline_run_id }, { ctx, signal }) => {
    const dataApi = DataApi.fromEnv();
    const checked = checkContract(dataApi);
    const outcome = await runPipeline(pipeline_run_id, ctx.run.id, signal, { dataApi, findStep, runStepTask }).catch(
      (error: unknown) => {
        // Another try of this worker would fail too. The reconciler starts the run again, for a worker that fits.
        if (error instanceof ContractError) throw new AbortTaskRunError(`${error.code}: ${error.message}`);
        throw error;
      },
    );
    await checked;
    await startNext(dataApi);
    // The failure is recorded; Trigger.dev shows it and does not retry.
    if (outcome.status === "failed") throw new AbortTaskRunError(outcome.message);
    return outcome;
  },
  onFailure: async ({ payload, error, ctx }) => {
    // The run is not at fault: the reconciler starts it again when the database or Trigger.dev's API is back.
    if (error instanceof DataApiUnavailableError || isTriggerAway(error)) return;
    await failUnrecorded(payload.pipeline_run_id, ctx.run.id, toRecordedError(error));
  },
  // An operator cancelled the task in Trigger.dev's dashboard. Otherwise the reconciler would start the run again.
  onCancel: async ({ payload, ctx }) => {
    await failUnrecorded(payload.pipeline_run_id, ctx.run.id, {
      code: "trigger_run_cancelled",
      message: "The run's Trigger.dev task was cancelled by an operator.",
    });
  },
});

/**
 * A hook runs outside the attempt and has no claim. Claiming the run shuts the attempt out, and shows whether a failure is
 * still to be recorded.
 */
async function failUnrecorded(pipelineRunId: string, triggerRunId: string, error: RecordedError): Promise<void> {
  const dataApi = DataApi.fromEnv();
  try {
    const claimed = await dataApi.claimPipelineRun(pipelineRunId, triggerRunId);
    if (claimed.outcome === "claimed") await dataApi.forRun(claimed.pipeline_run).failPipelineRun(claimed, error);
  } catch (refused) {
    // A worker that never worked on the run does not judge it.
    if (refused instanceof ContractError) return;
    throw refused;
  }
  await startNext(dataApi);
}

async function runStepTask(payload: StepTaskPayload, idempotencyKey: string): Promise<StepTaskResult> {
  const { id, org_id } = payload.pipeline_run;
  const result = await tasks.triggerAndWait(payload.step.task_id, payload, {
    // The key contains the claim, so it is unique without Trigger.dev's own scope.
    idempotencyKey: await idempotencyKeys.create(idempotencyKey, { scope: "global" }),
    concurrencyKey: org_id,
    tags: [`pipeline_run:${id}`, `org:${org_id}`],
    ttl: stepTaskTtlSeconds,
  });
  if (result.ok) return { ok: true };
  return { ok: false, message: result.error instanceof Error ? result.error.message : String(result.error) };
}
