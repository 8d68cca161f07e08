import { finalError, RunEndedError, type RunEndedCode, summarize, toRecordedError } from "../errors";
import { queueingLeaseSeconds } from "../platform/limits";
import { type Log, log, logOfRun, logOfStep, markSpan } from "../platform/log";
import { type AnyStepDefinition, taskIdOf } from "../tasks/steps/step";
import type { FinishedRun, StartedStep } from "../worker-api/answers";
import type { Claim, ClaimedStep, StepTaskPayload } from "../worker-api/claim";
import type { DataApi } from "../worker-api/client";
import type { StepWork } from "./chunks";
import { executeStepOrFail, failStep, parseCondition, parseConfig } from "./execute-step";
import { Heartbeat } from "./heartbeat";
import { StepTimings } from "./timings";

/** How a step's own task ended. `message` says how it failed, crashed or expired. */
export type StepTaskResult = { ok: true } | { ok: false; message: string };

export interface PipelineParts {
  dataApi: DataApi;
  findStep(slug: string): AnyStepDefinition | undefined;
  /** Starts the step's own task and waits for its end. A key that was used before joins the task that it started. */
  runStepTask(payload: StepTaskPayload, idempotencyKey: string): Promise<StepTaskResult>;
}

/**
 * `failed`: the failure is recorded, and `message` is for Trigger.dev's dashboard. `ended`: the run ended, or another
 * attempt claimed it, before this attempt finished; nothing is left to do.
 */
export type PipelineOutcome =
  FinishedRun | { status: "failed"; message: string } | { status: "ended"; reason: EndReason };

/** `triggerRunId` is the Trigger.dev run that this attempt belongs to. */
type AttemptParts = PipelineParts & { triggerRunId: string };

type EndReason = RunEndedCode | "claimed_elsewhere" | "not_admitted";

/** Give up after three starts without a new chunk. A delivery of hours outlives many task runs. */
const maxStepTaskStarts = 3;

/**
 * One attempt at a pipeline run: claims it, executes each step in order and finishes it. A failure of the run is recorded
 * and returned; it throws only what another attempt may cure, such as a Data API that is away.
 */
export async function runPipeline(
  pipelineRunId: string,
  triggerRunId: string,
  taskSignal: AbortSignal,
  parts: PipelineParts,
): Promise<PipelineOutcome> {
  const claimed = await parts.dataApi.claimPipelineRun(pipelineRunId, triggerRunId);
  if (claimed.outcome !== "claimed") {
    const reason = claimed.outcome === "finished" ? "pipeline_run_finished" : claimed.outcome;
    return ended(log.about({ pipeline_run_id: pipelineRunId }), reason);
  }

  const claim: Claim = { pipeline_run: claimed.pipeline_run, claim_id: claimed.claim_id };
  const dataApi = parts.dataApi.forRun(claim.pipeline_run);
  const runLog = logOfRun(claim.pipeline_run);
  markSpan(claim.pipeline_run);
  const { record_count, chunk_count } = claim.pipeline_run;
  runLog.info("A run was claimed", { step_count: claimed.steps.length, record_count, chunk_count });
  const heartbeat = new Heartbeat(dataApi, claim, taskSignal);
  try {
    const failure = await executeSteps(claimed.steps, claim, heartbeat, { ...parts, dataApi, triggerRunId });
    if (failure !== undefined) {
      runLog.info("A run failed");
      return { status: "failed", message: failure };
    }
    const finished = await dataApi.finishPipelineRun(claim);
    runLog.info("A run succeeded", { status: finished.status });
    return finished;
  } catch (error) {
    if (error instanceof RunEndedError) return ended(runLog, error.code);
    throw error;
  } finally {
    heartbeat.stop();
  }
}

function ended(runLog: Log, reason: EndReason): PipelineOutcome {
  runLog.info("The run needs no more work here", { reason });
  return { status: "ended", reason };
}

/** Returns the summary of the failure that was recorded, if any. */
async function executeSteps(
  steps: ClaimedStep[],
  claim: Claim,
  heartbeat: Heartbeat,
  parts: AttemptParts,
): Promise<string | undefined> {
  const { dataApi } = parts;
  const works: StepWork[] = [];
  for (const step of steps) {
    try {
      const definition = definitionOf(step, parts);
      const condition = parseCondition(step);
      const timings = new StepTimings();
      works.push({ dataApi, claim, step, definition, condition, signal: heartbeat.signal, timings });
    } catch (error) {
      // All steps are checked before the first one starts, so that a run which cannot succeed costs no work.
      const recorded = { ...toRecordedError(error), position: step.position, slug: step.slug };
      logOfStep({ claim, step }).error("A step cannot be executed", { code: recorded.code, error });
      await dataApi.failPipelineRun(claim, recorded);
      return summarize(recorded);
    }
  }
  const toDo = works.filter(({ step }) => !isDone(step));
  let started: StartedStep | undefined;
  for (const [index, work] of toDo.entries()) {
    // The end of the previous step starts only a step that has no condition on the run.
    const decision = started === undefined ? await decideByRun(work) : "go";
    if (decision === "skipped") continue;
    if (decision !== "go") return decision.failure;
    if (work.step.execution_mode === "task") {
      const failure = await executeStepTask(work, heartbeat, parts);
      if (failure !== undefined) return failure;
      continue;
    }
    const next = toDo[index + 1];
    const nextStepResultId = next && startsAtOnce(next) ? next.step.step_result_id : undefined;
    const end = await executeStepOrFail(work, { started, nextStepResultId });
    if (end.failure !== undefined) return end.failure;
    started = end.next;
  }
  return undefined;
}

/** Whether the end of the previous step can start it: no condition to evaluate first, and no task of its own. */
function startsAtOnce({ step, condition }: StepWork): boolean {
  return step.execution_mode === "inline" && (condition === undefined || condition.appliesToRecords || step.begun);
}

/** Whether an earlier attempt, or the run that this one retries, brought the step to its end. */
function isDone({ status, continue_on_error }: ClaimedStep): boolean {
  return ["succeeded", "skipped"].includes(status) || (status === "failed" && continue_on_error);
}

/** Evaluates a condition on the run when the step is about to start for the first time. */
async function decideByRun(work: StepWork): Promise<"go" | "skipped" | { failure: string }> {
  const { dataApi, claim, step, condition } = work;
  if (condition === undefined || condition.appliesToRecords || step.begun) return "go";
  const input = await dataApi.readConditionInput(step.step_result_id);
  let holds: boolean;
  try {
    holds = condition.holdsForRun(input);
  } catch (error) {
    const recorded = toRecordedError(error);
    logOfStep(work).error("A step's condition failed", { code: recorded.code, error });
    const failure = await failStep(work, recorded);
    return failure === undefined ? "skipped" : { failure };
  }
  if (holds) return "go";
  await dataApi.skipStep(step.step_result_id, claim.claim_id);
  logOfStep(work).info("A step was skipped by its condition");
  return "skipped";
}

/** The code must have the step as the snapshot names it: its slug, major version, config and place of execution. */
export function definitionOf(step: ClaimedStep, parts: Pick<PipelineParts, "findStep">): AnyStepDefinition {
  const definition = parts.findStep(step.slug);
  if (!definition) throw finalError("unknown_step", `The worker has no step ${step.slug}.`);
  if (majorOf(definition.version) !== majorOf(step.version)) {
    throw finalError(
      "step_version_unsupported",
      `The blueprint asks for ${step.slug} ${step.version}; the worker has ${definition.version}.`,
      { details: { version: step.version, worker_version: definition.version } },
    );
  }
  const taskId = taskIdOf(definition);
  if (step.execution_mode !== definition.executionMode || step.task_id !== taskId) {
    throw finalError(
      "step_task_mismatch",
      `The blueprint has ${step.slug} run ${modeOf(step.execution_mode, step.task_id)}; the worker runs it ${modeOf(definition.executionMode, taskId)}.`,
      { details: { task_id: step.task_id, worker_task_id: taskId } },
    );
  }
  parseConfig(definition, step);
  return definition;
}

function modeOf(executionMode: string, taskId: string): string {
  return executionMode === "inline" ? "inline" : `as task ${taskId}`;
}

function majorOf(version: string): string | undefined {
  return version.split(".")[0];
}

/**
 * Executes a step in its own task. The child works under this claim and records its step's success or failure itself. A
 * child that ended without either (its process died, its hour was over, it expired in the queue) is started again. The
 * key contains the claim, so a later attempt of this run shuts the old child out and starts its own.
 */
async function executeStepTask(work: StepWork, heartbeat: Heartbeat, parts: AttemptParts): Promise<string | undefined> {
  const { dataApi, claim, step } = work;
  let message = "";
  let written = 0;
  let failures = 0;
  for (let start = 1; failures < maxStepTaskStarts; start++) {
    await heartbeat.lease(queueingLeaseSeconds);
    const idempotencyKey = `${step.step_result_id}:${claim.claim_id}:${start}`;
    const result = await parts.runStepTask({ ...claim, step }, idempotencyKey);
    work.signal.throwIfAborted();
    try {
      await dataApi.heartbeat(claim);
    } catch (error) {
      const recordedByChild = error instanceof RunEndedError && error.code === "pipeline_run_finished" && !result.ok;
      if (recordedByChild) return result.message;
      throw error;
    }
    heartbeat.resume();
    if (result.ok) return undefined;
    await renewClaim(claim, parts);
    message = result.message;
    const writtenNow = await dataApi.stepProgress(step.step_result_id);
    failures = writtenNow > written ? 1 : failures + 1;
    written = writtenNow;
    logOfStep(work).warn("The task of a step ended before its step", { start, failures });
  }
  return failStep(work, {
    code: "step_task_failed",
    message: `The task of step ${step.slug} ended ${maxStepTaskStarts} times in a row without a new chunk.`,
    details: { last: message },
  });
}

/**
 * Claims the run again for the same Trigger.dev run. Trigger.dev may call a task ended (cancelled, stalled) whose process
 * still runs. From now on the old claim can write nothing, so two tasks of a step never work at the same time.
 */
async function renewClaim(claim: Claim, { dataApi, triggerRunId }: AttemptParts): Promise<void> {
  const renewed = await dataApi.claimPipelineRun(claim.pipeline_run.id, triggerRunId);
  if (renewed.outcome === "finished") throw new RunEndedError("pipeline_run_finished", "The run has ended.");
  if (renewed.outcome !== "claimed") throw new RunEndedError("claim_lost", "Another attempt has claimed the run.");
  claim.claim_id = renewed.claim_id;
}
