import { AbortTaskRunError, schemaTask } from "@trigger.dev/sdk";

import { RunEndedError } from "../errors";
import { outOfMemory, queueingLeaseSeconds } from "../platform/limits";
import { logOfStep, markSpan } from "../platform/log";
import type { AnyStepDefinition } from "../tasks/steps/step";
import { stepTaskPayloadSchema } from "../worker-api/claim";
import { DataApi } from "../worker-api/client";
import { executeStepOrFail, loggedRemarks, parseCondition } from "./execute-step";
import { Heartbeat } from "./heartbeat";
import { StepTimings } from "./timings";

/**
 * The Trigger.dev task of a step that calls the outside world. It works under the claim of the pipeline task that waits
 * for it. It retries errors of the outside world within one attempt, while the heartbeat goes on; Trigger.dev's attempts
 * are for a process that died or a Data API that is away.
 */
export function stepTask(definition: AnyStepDefinition) {
  return schemaTask({
    id: definition.slug,
    description: definition.description,
    schema: stepTaskPayloadSchema,
    // For each org: the pipeline task passes the org as the concurrency key.
    queue: { concurrencyLimit: 5 },
    // Well under the claim's minute: no heartbeat is sent between two attempts.
    retry: { maxAttempts: 3, minTimeoutInMs: 1_000, maxTimeoutInMs: 10_000, factor: 2, randomize: true, outOfMemory },
    run: async ({ step, columns, ...claim }, { signal }) => {
      const dataApi = DataApi.fromEnv().forRun(claim.pipeline_run);
      markSpan(claim.pipeline_run);
      const heartbeat = new Heartbeat(dataApi, claim, signal);
      try {
        // Ends the parent's long lease, and all work if the run was cancelled while this task was queued.
        await dataApi.heartbeat(claim);
        const condition = parseCondition(step);
        const timings = new StepTimings();
        const remarks = loggedRemarks({ claim, step });
        const work = {
          dataApi,
          claim,
          step,
          definition,
          condition,
          signal: heartbeat.signal,
          timings,
          columns,
          remarks,
        };
        const { failure } = await executeStepOrFail(work);
        // The failure is recorded; Trigger.dev shows it and does not retry.
        if (failure !== undefined) throw new AbortTaskRunError(failure);
        await heartbeat.lease(queueingLeaseSeconds);
        return { outcome: "succeeded" as const };
      } catch (error) {
        if (error instanceof RunEndedError) {
          logOfStep({ claim, step }).info("The step needs no more work here", { reason: error.code });
          return { outcome: "ended" as const, reason: error.code };
        }
        throw error;
      } finally {
        heartbeat.stop();
      }
    },
  });
}
