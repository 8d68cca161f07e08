import { schedules } from "@trigger.dev/sdk";

import { DataApi, type Start, type Suspect } from "../worker-api/client";
import { log } from "../platform/log";
import { startRuns } from "../platform/starts";
import { repairSuspect } from "../platform/trigger-runs";

const mostInAMinute = 100;
const asksAtOnce = 10;

/**
 * Repairs what is stuck: docs/operations.md lists the cases. Which runs those are, and what becomes of them, is SQL's
 * decision; this asks Trigger.dev what only Trigger.dev knows. Doing it twice is harmless.
 */
export const reconcileRunsTask = schedules.task({
  id: "reconcile-runs",
  description: "Starts pipeline runs that were not dispatched or lost their worker, and stops what has ended.",
  cron: "* * * * *",
  queue: { concurrencyLimit: 1 },
  // The next minute's run does the same work; a backlog of them after an outage would be of no use.
  ttl: 50,
  maxDuration: 55,
  retry: { maxAttempts: 1 },
  run: async () => {
    const dataApi = DataApi.fromEnv();
    const { starts, suspects, admitted, failed, expired_submissions } =
      await dataApi.reconcilePipelineRuns(mostInAMinute);
    const repairs: Record<string, number> = failed > 0 ? { given_up: failed } : {};
    const count = (repair: string) => {
      repairs[repair] = (repairs[repair] ?? 0) + 1;
    };
    const due = [...starts, ...(await repairSuspects(dataApi, suspects, count))];
    const started = await startRuns(dataApi, due, count);
    const counts = {
      ...{ found: due.length, started, not_started: due.length - started },
      ...{ suspects: suspects.length, admitted, repairs, expired_submissions },
    };
    log.info("Reconciled pipeline runs", counts);
    return counts;
  },
});

/** Returns what is to be started again. A run that Trigger.dev does not answer about is left to the next minute. */
async function repairSuspects(
  dataApi: DataApi,
  suspects: readonly Suspect[],
  count: (repair: string) => void,
): Promise<Start[]> {
  const starts: Start[] = [];
  for (let from = 0; from < suspects.length; from += asksAtOnce) {
    const batch = suspects.slice(from, from + asksAtOnce);
    const results = await Promise.allSettled(batch.map((suspect) => repairSuspect(dataApi, suspect)));
    for (const [index, result] of results.entries()) {
      if (result.status === "rejected") {
        const { pipeline_run_id } = batch[index] as Suspect;
        log.about({ pipeline_run_id }).error("A pipeline run could not be repaired", { error: result.reason });
        continue;
      }
      const { repair, start } = result.value;
      if (repair !== null) count(repair);
      if (start !== null) starts.push(start);
    }
  }
  return starts;
}
