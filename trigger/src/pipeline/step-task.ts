import { AbortTaskRunError, schemaTask } from "@trigger.dev/sdk";

import { DataApi } from "../worker-api/client";
import { RunEndedError } from "../errors";
import { stepTaskPayloadSchema } from "../worker-api/claim";
import { executeStepOrFail, parseCondition } from "./execute-step";
import { Heartbeat } from "./heartbeat";
import { outOfMemory, queueingLeaseSeconds } from "../platform/limits";
import { logOfStep, markSpan } from "../platform/log";
import type { StepDefinition } from "../tasks/steps/step";
import { StepTimings } from "./timings";

/**
 * The Trigger.dev task of a step with `executionMode: "task"`; its id is the step's slug. It works under the
 * claim of the pipeline task that waits for it. Retryable errors of the outside world are retried inside one
 * attempt, where the heartbeat goes on; Trigger.dev's attempts are for a process that died or a Data
 * API that is away.
 */
export function stepTask<Config, State>(definition: StepDefinition<Config, State>) {
  return schemaTask({
    id: definition.slug,
    description: definition.description,
    schema: stepTaskPayloadSchema,
    // Per org: the pipeline task passes the org as the concurrency key.
    queue: { concurrencyLimit: 5 },
    // Well under the claim's minute: nobody beats between two attempts.
    retry: { maxAttempts: 3, minTimeoutInMs: 1_000, maxTimeoutInMs: 10_000, factor: 2, randomize: true, outOfMemory },
    run: async ({ step, ...claim }, { signal }) => {
      const dataApi = DataApi.fromEnv().forRun(claim.pipeline_run);
      markSpan(claim.pipeline_run);
      const heartbeat = new Heartbeat(dataApi, claim, signal);
      try {
        // Ends the long lease that the parent left, and any work for a run that was cancelled in the queue.
        await dataApi.heartbeat(claim);
        const condition = parseCondition(step);
        const timings = new StepTimings();
        const work = { dataApi, claim, step, definition, condition, signal: heartbeat.signal, timings };
        const { failure } = await executeStepOrFail(work);
        // The failure is recorded; Trigger.dev shall show it too and not try again.
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
