import { apiClientManager, ApiError, NotFoundError } from "@trigger.dev/core/v3";

import type { DataApi, Repaired, Suspect } from "../data-api";

/**
 * Of a Trigger.dev run that waits, works or is about to. All others are final, except one: a run that is cancelled while it
 * executes may be attempted again and end otherwise. So what is taken for ended is replaced only under a new claim.
 */
export const aliveStatuses: ReadonlySet<string> = new Set([
  "PENDING_VERSION",
  "QUEUED",
  "DEQUEUED",
  "EXECUTING",
  "WAITING",
  "DELAYED",
]);

/** Whether a call of the SDK failed since Trigger.dev could not be reached, or asks to be left alone for now. */
export function isTriggerAway(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  const status = error.status as number | undefined;
  return status === undefined || status === 408 || status === 429 || status >= 500;
}

/** Asks Trigger.dev how a run stands that the database has doubts about, and has the database draw the conclusion. */
export async function repairSuspect(dataApi: DataApi, suspect: Suspect): Promise<Repaired> {
  const nothing = { repair: null, start: null };
  if (suspect.ended) {
    const stopped = await stopAll(suspect.pipeline_run_id);
    return dataApi.repairPipelineRun(suspect, stopped > 0 ? "stopped" : "quiet");
  }
  const finding = await lookUp(suspect);
  return finding === "alive" ? nothing : dataApi.repairPipelineRun(suspect, finding);
}

/** The recorded id may have been written by a client of the Data API, so the Trigger.dev run must carry the run's tag. */
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

/** Cancels all that is alive of a pipeline run: its task, one that was started twice, and tasks of its steps. Returns how many. */
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
