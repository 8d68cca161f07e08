import { trace } from "@opentelemetry/api";
import { logger } from "@trigger.dev/sdk";

import { ContractError, RunEndedError, StepError } from "../errors";
import type { ClaimedStep, PipelineRun } from "../worker-api/claim";

/** What a line is about. The names equal those of the API's log, so that one search finds both. */
export interface Subject {
  request_id?: string | null;
  trace_id?: string;
  org_id?: string;
  pipeline_run_id?: string;
  slug?: string;
  position?: number;
  chunk_index?: number;
  /** How many times a worker has started the step. */
  attempt?: number;
}

type Count =
  | ("failures" | "start" | "wait_ms" | "reading_ms" | "processing_ms" | "writing_ms")
  | ("step_count" | "chunk_count" | "record_count")
  | ("found" | "started" | "not_started" | "suspects" | "admitted" | "expired_submissions");

/** What else a line may tell: a closed list, so that no record, config or secret gets into the log. */
export interface Facts extends Partial<Record<Count, number>> {
  code?: string;
  status?: string;
  reason?: string;
  error?: unknown;
  repairs?: Record<string, number>;
}

/**
 * The worker's log: one JSON object a line, through Trigger.dev, which adds time, level and its own ids. Messages are
 * fixed sentences; everything that varies is an attribute.
 */
export class Log {
  constructor(private readonly subject: Subject) {}

  about(more: Subject): Log {
    return new Log({ ...this.subject, ...more });
  }

  readonly debug = (message: string, facts?: Facts) => logger.debug(message, this.#attributes(facts));
  readonly info = (message: string, facts?: Facts) => logger.info(message, this.#attributes(facts));
  readonly warn = (message: string, facts?: Facts) => logger.warn(message, this.#attributes(facts));
  readonly error = (message: string, facts?: Facts) => logger.error(message, this.#attributes(facts));

  #attributes({ error, ...facts }: Facts = {}): Record<string, unknown> {
    return { ...this.subject, ...facts, ...(error !== undefined && { error: describeError(error) }) };
  }
}

/** The log for lines that belong to no run. */
export const log = new Log({});

export function logOfRun({ id, org_id, trace_id, request_id }: PipelineRun): Log {
  return new Log({ request_id, trace_id, org_id, pipeline_run_id: id });
}

export function logOfStep(work: { claim: { pipeline_run: PipelineRun }; step: ClaimedStep }): Log {
  const { slug, position } = work.step;
  return logOfRun(work.claim.pipeline_run).about({ slug, position });
}

/** Names the run on Trigger.dev's span of this attempt, so that its traces can be joined with those of the API. */
export function markSpan({ id, org_id, trace_id, request_id }: PipelineRun): void {
  const attributes = { trace_id, org_id, pipeline_run_id: id, ...(request_id !== null && { request_id }) };
  trace.getActiveSpan()?.setAttributes(attributes);
}

interface DescribedError {
  name: string;
  code?: string;
  message?: string;
  frames?: string[];
  cause?: DescribedError;
}

const mostFrames = 12;

/**
 * Describes an error without quoting it. Only our own sentences are repeated: the text of any other error may hold a
 * record or a secret. The stack frames are enough to find the place.
 */
export function describeError(error: unknown, depth = 0): DescribedError {
  const code = wordOf((error as { code?: unknown } | null)?.code);
  if (!(error instanceof Error)) return { name: typeof error, ...(code && { code }) };
  const isOurs = error instanceof StepError || error instanceof RunEndedError || error instanceof ContractError;
  return {
    name: wordOf(error.name) ?? "Error",
    ...(code && { code }),
    ...(isOurs && { message: error.message }),
    frames: framesOf(error),
    ...(error.cause !== undefined && depth < 2 && { cause: describeError(error.cause, depth + 1) }),
  };
}

function framesOf({ stack = "", message }: Error): string[] {
  // The frames follow the message, which may itself have lines that look like frames.
  const frames = message === "" ? stack : stack.slice(stack.lastIndexOf(message) + message.length);
  return frames
    .split("\n")
    .filter((line) => /^\s+at \S/.test(line))
    .slice(0, mostFrames)
    .map((line) => line.trim());
}

/** A name or code as programs write them; anything longer may be a text that holds data. */
function wordOf(value: unknown): string | undefined {
  return typeof value === "string" && /^[A-Za-z][A-Za-z0-9_]{0,60}$|^[0-9A-Z]{5}$/.test(value) ? value : undefined;
}
