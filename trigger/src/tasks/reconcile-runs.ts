import { apiClientManager } from "@trigger.dev/core/v3";
import { logger, schedules } from "@trigger.dev/sdk";

import { DataApi, type Reconciled } from "../data-api";

type Start = Reconciled["starts"][number];

const startsPerMinute = 100;
const startsAtOnce = 10;
/** An operator may have cancelled the start that replaced a cancelled one, and so on. */
const mostDeadStarts = 5;

/**
 * Starts what was never dispatched (Trigger.dev was down) or lost its worker. Which runs those are, and
 * which were started too often, is SQL's decision; starting one twice is harmless, as only one task can
 * claim it.
 */
export const reconcileRunsTask = schedules.task({
  id: "reconcile-runs",
  description: "Starts pipeline runs that were not dispatched or lost their worker.",
  cron: "* * * * *",
  queue: { concurrencyLimit: 1 },
  // The next minute's run does the same work; a backlog of them after an outage would be of no use.
  ttl: 50,
  maxDuration: 55,
  retry: { maxAttempts: 1 },
  run: async () => {
    const dataApi = DataApi.fromEnv();
    const { starts, failed, expired_submissions } = await dataApi.reconcilePipelineRuns(startsPerMinute);
    let started = 0;
    for (let from = 0; from < starts.length; from += startsAtOnce) {
      const results = await Promise.allSettled(
        starts.slice(from, from + startsAtOnce).map((start) => startRun(dataApi, start)),
      );
      for (const [index, result] of results.entries()) {
        if (result.status === "fulfilled") started++;
        else logger.error("A pipeline run could not be started", { ...starts[from + index], error: result.reason });
      }
    }
    const counts = { found: starts.length, started, not_started: starts.length - started, failed, expired_submissions };
    logger.info("Reconciled pipeline runs", counts);
    return counts;
  },
});

/**
 * Over the SDK's own client and not `tasks.trigger`, which would hash the key: a queued run must be started
 * under the very key that the API used, so that Trigger.dev answers with the run that it still holds.
 */
async function startRun(dataApi: DataApi, { pipeline_run_id, org_id, idempotency_key }: Start): Promise<void> {
  const client = apiClientManager.clientOrThrow();
  let idempotencyKey = idempotency_key;
  for (let tries = 1; tries <= mostDeadStarts; tries++) {
    const { id, isCached } = await client.triggerTask("run-pipeline", {
      payload: { pipeline_run_id },
      options: {
        idempotencyKey,
        concurrencyKey: org_id,
        tags: [`pipeline_run:${pipeline_run_id}`, `org:${org_id}`],
      },
    });
    // Trigger.dev keeps the key of a run that was cancelled there, and would answer with that run for ever.
    const isDead = isCached && (await client.retrieveRun(id)).isCompleted;
    if (!isDead) return dataApi.markPipelineRunDispatched(pipeline_run_id, id);
    idempotencyKey = `${idempotency_key}:after:${id}`;
  }
  throw new Error(`Trigger.dev has ended ${mostDeadStarts} starts of the run before they began.`);
}
