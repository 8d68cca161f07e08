import { schedules } from "@trigger.dev/sdk";

import { settleInBatches } from "../platform/batches";
import { log } from "../platform/log";
import { startRuns } from "../platform/starts";
import { repairSuspect } from "../platform/trigger-runs";
import type { Start, Suspect } from "../worker-api/answers";
import { DataApi } from "../worker-api/client";

const runsPerMinute = 100;

/**
 * Repairs stuck runs; docs/operations.md lists the cases. SQL decides which runs those are and what follows; this task
 * asks Trigger.dev what only Trigger.dev knows. Reconciling twice is harmless.
 */
export const reconcileRunsTask = schedules.task({
  id: "reconcile-runs",
  description: "Starts pipeline runs that were not dispatched or lost their worker, and stops what has ended.",
  cron: "* * * * *",
  queue: { concurrencyLimit: 1 },
  // The next minute's run does the same work, so a backlog after an outage would be useless.
  ttl: 50,
  maxDuration: 55,
  retry: { maxAttempts: 1 },
  run: async () => {
    const dataApi = DataApi.fromEnv();
    const { starts, suspects, admitted, failed, expired_submissions } =
      await dataApi.reconcilePipelineRuns(runsPerMinute);
    const repairs: Record<string, number> = failed > 0 ? { given_up: failed } : {};
    const count = (repair: string) => {
      repairs[repair] = (repairs[repair] ?? 0) + 1;
    };
    const due = [...starts, ...(await repairSuspects(dataApi, suspects, count))];
    const started = await startRuns(dataApi, due, count);
    const counts = {
      found: due.length,
      started,
      not_started: due.length - started,
      suspects: suspects.length,
      admitted,
      repairs,
      expired_submissions,
    };
    log.info("Reconciled pipeline runs", counts);
    return counts;
  },
});

/** Returns the starts that the repairs need. A suspect that Trigger.dev does not answer about waits for the next minute. */
async function repairSuspects(
  dataApi: DataApi,
  suspects: readonly Suspect[],
  count: (repair: string) => void,
): Promise<Start[]> {
  const results = await settleInBatches(
    suspects,
    (suspect) => repairSuspect(dataApi, suspect),
    ({ pipeline_run_id }, error) =>
      log.about({ pipeline_run_id }).error("A pipeline run could not be repaired", { error }),
  );
  for (const { repair } of results) if (repair !== null) count(repair);
  return results.flatMap(({ start }) => start ?? []);
}
