import { apiClientManager, ApiError, NotFoundError } from "@trigger.dev/core/v3";

import type { Repaired, Suspect } from "../worker-api/answers";
import type { DataApi } from "../worker-api/client";

/**
 * Of a Trigger.dev run that waits, works or is about to. All others are final, except one: a run that is cancelled while it
 * executes may be attempted again and end otherwise. So what is taken for ended is replaced only under a new claim.
 */
export const aliveStatuses: ReadonlySet<string> = new Set(
  "PENDING_VERSION QUEUED DEQUEUED EXECUTING WAITING DELAYED".split(" "),
);

/** Whether a call of the SDK failed because Trigger.dev could not be reached or is overloaded. */
export function isTriggerAway(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  const status = error.status as number | undefined;
  return status === undefined || status === 408 || status === 429 || status >= 500;
}

/** Asks Trigger.dev about a run that the database suspects to be lost, and lets the database decide what follows. */
export async function repairSuspect(dataApi: DataApi, suspect: Suspect): Promise<Repaired> {
  const nothing = { repair: null, start: null };
  if (suspect.ended) {
    const stopped = await stopAll(suspect.pipeline_run_id);
    return dataApi.repairPipelineRun(suspect, stopped > 0 ? "stopped" : "quiet");
  }
  const finding = await lookUp(suspect);
  return finding === "alive" ? nothing : dataApi.repairPipelineRun(suspect, finding);
}

/** A client of the Data API may have written the recorded id, so the Trigger.dev run must carry the pipeline run's tag. */
async function lookUp({ pipeline_run_id, trigger_run_id }: Suspect): Promise<"alive" | "ended" | "unknown"> {
  if (trigger_run_id === null || !/^run_[A-Za-z0-9]{1,64}$/.test(trigger_run_id)) return "unknown";
  try {
    const { status, tags } = await apiClientManager.clientOrThrow().retrieveRun(trigger_run_id);
    if (!tags.includes(tagOf(pipeline_run_id))) return "unknown";
    return aliveStatuses.has(status) ? "alive" : "ended";
  } catch (error) {
    if (error instanceof NotFoundError) return "unknown";
    throw error;
  }
}

/** Cancels every live Trigger.dev run of a pipeline run: its task, duplicates of it, and its steps' tasks. Returns how many. */
async function stopAll(pipelineRunId: string): Promise<number> {
  const client = apiClientManager.clientOrThrow();
  const alive: string[] = [];
  for await (const { id, tags, status } of client.listRuns({ tag: tagOf(pipelineRunId), limit: 100 })) {
    if (tags.includes(tagOf(pipelineRunId)) && aliveStatuses.has(status)) alive.push(id);
  }
  for (const id of alive) await client.cancelRun(id);
  return alive.length;
}

function tagOf(pipelineRunId: string): string {
  return `pipeline_run:${pipelineRunId}`;
}
