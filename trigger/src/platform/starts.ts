import { apiClientManager } from "@trigger.dev/core/v3";

import type { Start } from "../worker-api/answers";
import type { DataApi } from "../worker-api/client";
import { settleInBatches } from "./batches";
import { log } from "./log";
import { aliveStatuses } from "./trigger-runs";

/** How many starts of one run to replace in one go: an operator may have cancelled the replacement too, and so on. */
const mostEndedStarts = 5;

/** Returns how many runs were started. The reconciler comes back to those that Trigger.dev did not take. */
export async function startRuns(
  dataApi: DataApi,
  starts: readonly Start[],
  onRepair?: (repair: string) => void,
): Promise<number> {
  const started = await settleInBatches(
    starts,
    (start) => startRun(dataApi, start, onRepair),
    ({ pipeline_run_id, org_id }, error) =>
      log.about({ pipeline_run_id, org_id }).error("A pipeline run could not be started", { error }),
  );
  return started.length;
}

/** Starts the runs that were admitted when a run ended. Never fails: the reconciler starts the others within a minute. */
export async function startNext(dataApi: DataApi): Promise<void> {
  try {
    await startRuns(dataApi, await dataApi.takeStarts());
  } catch (error) {
    log.warn("The runs whose turn has come were not started here", { error });
  }
}

/**
 * Uses the SDK's client instead of `tasks.trigger`, which hashes the key. A queued run must be started under exactly the
 * key that the API used, so that Trigger.dev answers with the run that it still holds.
 */
async function startRun(dataApi: DataApi, first: Start, onRepair?: (repair: string) => void): Promise<void> {
  const client = apiClientManager.clientOrThrow();
  let start = first;
  for (let tries = 1; tries <= mostEndedStarts; tries++) {
    const { pipeline_run_id, org_id, idempotency_key } = start;
    const { id, isCached } = await client.triggerTask("run-pipeline", {
      payload: { pipeline_run_id },
      options: {
        idempotencyKey: idempotency_key,
        concurrencyKey: org_id,
        tags: [`pipeline_run:${pipeline_run_id}`, `org:${org_id}`],
      },
    });
    // Trigger.dev keeps the key of a run that has ended, and would answer with that run forever.
    if (!isCached || aliveStatuses.has((await client.retrieveRun(id)).status)) {
      await dataApi.markPipelineRunDispatched(start, id);
      if (start.repair) onRepair?.(start.repair);
      return;
    }
    const replaced = await dataApi.replaceStart(start);
    if (replaced === null) return;
    onRepair?.("start_ended");
    start = replaced;
  }
  throw new Error(`Trigger.dev ended ${mostEndedStarts} starts of the run before they began.`);
}
