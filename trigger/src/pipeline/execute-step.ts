import { z } from "zod";

import type { StartedStep, StepEnding } from "../worker-api/client";
import { DataApiUnavailableError, finalError, RunEndedError, StepError, summarize, toRecordedError } from "../errors";
import { type Backoff, backoffMs, longestRetryAfterMs, sleep } from "../worker-api/backoff";
import { afterGrace } from "./write-grace";
import { type Preparation, prepareState, processChunks, processLastChunk, type StepWork } from "./chunks";
import type { ClaimedStep } from "../worker-api/claim";
import { Condition } from "./condition";
import { logOfStep } from "../platform/log";
import type { AnyStepDefinition } from "../tasks/steps/step";
import { roundedTimings } from "./timings";

export const defaultMaxAttempts = 3;
const defaultBackoff = { initial_seconds: 1, max_seconds: 60, factor: 2 };

/** What a step's config from the blueprint snapshot becomes, defaults filled in. */
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

/** A database that is away is no matter of the step's, and always worth another try. */
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

/** What came before a step and what follows it, as far as that saves calls. */
export interface StepPlace {
  /** The step is started already, by the end of the one before. */
  started?: StartedStep | undefined;
  /** The step to be started by the end of this one. */
  nextStepResultId?: string | undefined;
}

/**
 * Brings one step to its end: succeeded, or a thrown error. A retryable error starts the step again, which
 * goes on at the first chunk that is not written; `max_attempts` counts tries in a row without a new
 * chunk, so that one flaky answer in a thousand does not use up a long delivery. Returns how the next step was started, if
 * it was.
 */
export async function executeStep(work: StepWork, place: StepPlace = {}): Promise<StartedStep | undefined> {
  const { dataApi, claim, step, condition, signal } = work;
  const config = parseConfig(work.definition, step);
  const backoff = backoffOf(step);
  const maxAttempts = step.retry?.max_attempts ?? defaultMaxAttempts;
  let log = logOfStep(work);
  let startedBefore = place.started;
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
      // An attempt whose last answer was lost had brought it to its end.
      if (started.status !== "running") return undefined;
      log = log.about({ attempt: started.attempt });
      if (prepared === undefined) {
        const conditionInput = condition?.asksRecords
          ? await dataApi.readConditionInput(step.step_result_id)
          : undefined;
        const state = await prepareState(work, { config, conditionInput }, started);
        prepared = { config, state, conditionInput };
      }
      const ending: StepEnding = { timings: work.timings, nextStepResultId: place.nextStepResultId };
      if (started.next_chunk !== null && started.chunk_count - started.written_chunks.length === 1) {
        ending.lastChunk = await processLastChunk(work, prepared, started.next_chunk);
      } else {
        await processChunks(work, prepared, started, () => {
          failures = 0;
        });
      }
      const next = await dataApi.endStep(step.step_result_id, claim.claim_id, ending, afterGrace(signal));
      log.info("A step succeeded", roundedTimings(work.timings));
      return next;
    } catch (error) {
      // An aborted step fails in its own way; what ended the run is the reason that counts.
      signal.throwIfAborted();
      failures++;
      if (!isWorthAnotherTry(error, step) || failures >= maxAttempts) throw error;
      // To be asked back at once, or at a time that has passed by this clock, is no leave to come in a rush.
      const waitMs = Math.min(Math.max(error.retryAfterMs ?? 0, backoffMs(failures, backoff)), longestRetryAfterMs);
      log.warn("A step will be tried again", { code: error.code, failures, wait_ms: Math.round(waitMs), error });
      await sleep(waitMs, signal);
    }
  }
}

/** `failure`: the summary of what was recorded as the run's. Otherwise the run goes on: the step succeeded, or may fail. */
export interface StepEnd {
  failure?: string | undefined;
  next?: StartedStep | undefined;
}

/**
 * `executeStep`, with a failure of the step recorded. Throws what is not the step's fault: the run ended, or the Data
 * API is away.
 */
export async function executeStepOrFail(work: StepWork, place: StepPlace = {}): Promise<StepEnd> {
  try {
    return { next: await executeStep(work, place) };
  } catch (error) {
    work.signal.throwIfAborted();
    if (error instanceof RunEndedError || error instanceof DataApiUnavailableError) throw error;
    const recorded = toRecordedError(error);
    const { dataApi, step, claim, timings } = work;
    logOfStep(work).error("A step failed", { code: recorded.code, error, ...roundedTimings(timings) });
    const { continues } = await dataApi.failStep(step.step_result_id, claim.claim_id, recorded, timings);
    return continues ? {} : { failure: summarize(recorded) };
  }
}
