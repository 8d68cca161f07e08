import { apiClientManager } from "@trigger.dev/core/v3";

import type { DataApi, Start } from "../worker-api/client";
import { log } from "./log";
import { aliveStatuses } from "./trigger-runs";

const startsAtOnce = 10;
/** Of one run in one go: an operator may have cancelled the start that replaced a cancelled one, and so on. */
const mostDeadStarts = 5;

/** Starts each, as far as Trigger.dev takes it; the reconciler comes back to the others. Returns how many were started. */
export async function startRuns(
  dataApi: DataApi,
  starts: readonly Start[],
  onRepair?: (repair: string) => void,
): Promise<number> {
  let started = 0;
  for (let from = 0; from < starts.length; from += startsAtOnce) {
    const batch = starts.slice(from, from + startsAtOnce);
    const results = await Promise.allSettled(batch.map((start) => startRun(dataApi, start, onRepair)));
    for (const [index, result] of results.entries()) {
      if (result.status === "fulfilled") {
        started++;
        continue;
      }
      const { pipeline_run_id, org_id } = batch[index] as Start;
      log.about({ pipeline_run_id, org_id }).error("A pipeline run could not be started", { error: result.reason });
    }
  }
  return started;
}

/** Starts what was admitted because a run has ended. Never fails: what is left, the reconciler starts within a minute. */
export async function startNext(dataApi: DataApi): Promise<void> {
  try {
    await startRuns(dataApi, await dataApi.takeStarts());
  } catch (error) {
    log.warn("The runs whose turn has come were not started here", { error });
  }
}

/**
 * Over the SDK's own client and not `tasks.trigger`, which would hash the key: a queued run must be started
 * under the very key that the API used, so that Trigger.dev answers with the run that it still holds.
 */
async function startRun(dataApi: DataApi, first: Start, onRepair?: (repair: string) => void): Promise<void> {
  const client = apiClientManager.clientOrThrow();
  let start = first;
  for (let tries = 1; tries <= mostDeadStarts; tries++) {
    const { pipeline_run_id, org_id, idempotency_key } = start;
    const { id, isCached } = await client.triggerTask("run-pipeline", {
      payload: { pipeline_run_id },
      options: {
        idempotencyKey: idempotency_key,
        concurrencyKey: org_id,
        tags: [`pipeline_run:${pipeline_run_id}`, `org:${org_id}`],
      },
    });
    // Trigger.dev keeps the key of a run that has ended there, and would answer with that run for ever.
    if (!isCached || aliveStatuses.has((await client.retrieveRun(id)).status)) {
      await dataApi.markPipelineRunDispatched(pipeline_run_id, id, start.repair);
      if (start.repair) onRepair?.(start.repair);
      return;
    }
    const replaced = await dataApi.replaceStart(start);
    if (replaced === null) return;
    onRepair?.("start_ended");
    start = replaced;
  }
  throw new Error(`Trigger.dev has ended ${mostDeadStarts} starts of the run before they began.`);
}
