import type { z } from "zod";

import {
  DataApiUnavailableError,
  finalError,
  longestRetryAfterMs,
  type RecordedError,
  RunEndedError,
  StepError,
  summarize,
  toRecordedError,
} from "../errors";
import { logOfStep } from "../platform/log";
import type { AnyStepDefinition } from "../tasks/steps/step";
import type { StartedStep } from "../worker-api/answers";
import { type Backoff, backoffMs, sleep } from "../worker-api/backoff";
import type { ClaimedStep } from "../worker-api/claim";
import type { RecordedTimings, StepEnding } from "../worker-api/client";
import { type Preparation, prepareState, processChunk, processChunks, type StepWork } from "./chunks";
import { Condition } from "./condition";
import { StepRemarks } from "./step-remarks";
import { roundedTimings } from "./timings";
import { afterGrace } from "./write-grace";

export const defaultMaxAttempts = 3;
const defaultBackoff = { initial_seconds: 1, max_seconds: 60, factor: 2 };

/** The remarks of one step, whose warnings also go to the log. */
export function loggedRemarks(work: Pick<StepWork, "claim" | "step">): StepRemarks {
  return new StepRemarks(({ code }) => logOfStep(work).warn("A step warns of what people should check", { code }));
}

/** The step's config from the blueprint snapshot, with defaults filled in. Throws `invalid_step_config`. */
export function parseConfig(definition: AnyStepDefinition, { slug, config }: ClaimedStep): unknown {
  const result = definition.configSchema.safeParse(config ?? {});
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => ({ path, message }));
  throw finalError("invalid_step_config", `The config of step ${slug} is not valid: ${sentence(result.error)}.`, {
    details: { issues },
  });
}

/** The step's `run_if`, if it has one. Throws `invalid_run_if`. */
export function parseCondition({ run_if }: ClaimedStep): Condition | undefined {
  return run_if === null ? undefined : Condition.parse(run_if);
}

function backoffOf({ retry }: ClaimedStep): Backoff {
  const { initial_seconds, max_seconds, factor } = { ...defaultBackoff, ...retry?.backoff };
  return { baseMs: initial_seconds * 1_000, maxMs: max_seconds * 1_000, factor };
}

/** An unavailable database is not the step's fault, and is always worth another try. */
function isWorthAnotherTry(error: unknown, { retry }: ClaimedStep): error is StepError {
  if (!(error instanceof StepError)) return false;
  if (error instanceof DataApiUnavailableError || !retry?.on) return error.retryable;
  return retry.on.includes(error.code);
}

function sentence(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message))
    .join("; ");
}

/** What saves calls between consecutive steps. */
export interface Neighbours {
  /** The answer of the previous step's end, if it started this step. */
  started?: StartedStep | undefined;
  /** The step that the end of this one starts. */
  nextStepResultId?: string | undefined;
}

/**
 * Brings one step to its end, or throws. A retryable error starts the step again, which goes on at its first unwritten
 * chunk. `max_attempts` counts attempts in a row without a new chunk, so that one error in a thousand does not use up a
 * long delivery. Returns how the next step stands if it was started.
 */
export async function executeStep(work: StepWork, neighbours: Neighbours = {}): Promise<StartedStep | undefined> {
  const { dataApi, claim, step, condition, signal } = work;
  const config = parseConfig(work.definition, step);
  const backoff = backoffOf(step);
  const maxAttempts = step.retry?.max_attempts ?? defaultMaxAttempts;
  let log = logOfStep(work);
  let startedBefore = neighbours.started;
  let prepared: Preparation | undefined;
  let failures = 0;
  for (;;) {
    signal.throwIfAborted();
    try {
      let started = startedBefore ?? (await dataApi.startStep(step.step_result_id, claim.claim_id, signal));
      startedBefore = undefined;
      while (started.status === "copying") {
        started = await dataApi.startStep(step.step_result_id, claim.claim_id, signal);
      }
      // The step ended in an earlier attempt, whose last answer was lost.
      if (started.status !== "running") return undefined;
      log = log.about({ attempt: started.attempt });
      if (prepared === undefined) {
        const conditionInput = condition?.appliesToRecords
          ? await dataApi.readConditionInput(step.step_result_id)
          : undefined;
        const state = await prepareState(work, { config, conditionInput }, started);
        prepared = { config, state, conditionInput };
      }
      const ending: StepEnding = { nextStepResultId: neighbours.nextStepResultId };
      if (started.next_chunk !== null && started.chunk_count - started.written_chunks.length === 1) {
        ending.lastChunk = await processChunk(work, prepared, started.next_chunk);
      } else {
        await processChunks(work, prepared, started, () => {
          failures = 0;
        });
      }
      const timings = (ending.timings = roundedTimings(work.timings));
      ending.remarks = work.remarks.all;
      const next = await dataApi.endStep(step.step_result_id, claim.claim_id, ending, afterGrace(signal));
      log.info("A step succeeded", timings);
      return next;
    } catch (error) {
      // An aborted step fails with some error; the reason that counts is the end of the run.
      signal.throwIfAborted();
      failures++;
      if (!isWorthAnotherTry(error, step) || failures >= maxAttempts) throw error;
      // A Retry-After of zero, or of a past time, does not shorten the step's own wait.
      const waitMs = Math.min(Math.max(error.retryAfterMs ?? 0, backoffMs(failures, backoff)), longestRetryAfterMs);
      log.warn("A step will be tried again", { code: error.code, failures, wait_ms: Math.round(waitMs), error });
      await sleep(waitMs, signal);
    }
  }
}

/** `failure` is the summary of the run's recorded failure. Without it the run goes on: the step succeeded, or may fail. */
export interface StepEnd {
  failure?: string | undefined;
  next?: StartedStep | undefined;
}

/** Calls `executeStep` and records a failure of the step. Throws only if the run ended or the Data API is away. */
export async function executeStepOrFail(work: StepWork, neighbours: Neighbours = {}): Promise<StepEnd> {
  try {
    return { next: await executeStep(work, neighbours) };
  } catch (error) {
    work.signal.throwIfAborted();
    if (error instanceof RunEndedError || error instanceof DataApiUnavailableError) throw error;
    const recorded = toRecordedError(error);
    const timings = roundedTimings(work.timings);
    logOfStep(work).error("A step failed", { code: recorded.code, error, ...timings });
    return { failure: await failStep(work, recorded, timings) };
  }
}

/** Records that the step failed. Returns the summary of the run's failure, unless the run may go on without the step. */
export async function failStep(
  { dataApi, step, claim }: StepWork,
  error: RecordedError,
  timings?: RecordedTimings,
): Promise<string | undefined> {
  const { continues } = await dataApi.failStep(step.step_result_id, claim.claim_id, error, timings);
  return continues ? undefined : summarize(error);
}
