/** The pipeline waits no longer than this, whatever the other side asks for. */
export const longestRetryAfterMs = 15 * 60_000;

export interface StepErrorOptions {
  details?: Record<string, unknown>;
  /** How long the other side asks to be left alone, in a `Retry-After` header for instance. */
  retryAfterMs?: number;
  /** Only for the operators' log; never stored with the run. */
  cause?: unknown;
}

/** The error that `worker.fail_step` and `worker.fail_pipeline_run` store, and that the API shows for a run. */
export interface RecordedError {
  code: string;
  message: string;
  details?: Record<string, unknown>;
  /** The step at fault. `worker.fail_step` adds position and slug itself. */
  position?: number;
  slug?: string;
}

/** A failure with a stable snake_case code and a sentence that a user of the API will read. */
export class StepError extends Error {
  override readonly name: string = "StepError";
  readonly details: Record<string, unknown>;
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly code: string,
    message: string,
    readonly retryable: boolean,
    options: StepErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.details = options.details ?? {};
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** An error that another try with the same input may avoid: a timeout, a 503, a rate limit. */
export function retryableError(code: string, message: string, options: StepErrorOptions = {}): StepError {
  return new StepError(code, message, true, options);
}

/** An error that would happen again: a wrong config, a 404, a broken invariant. */
export function finalError(
  code: string,
  message: string,
  options: Omit<StepErrorOptions, "retryAfterMs"> = {},
): StepError {
  return new StepError(code, message, false, options);
}

/** The Data API did not answer in time. The run is not at fault, so this is not recorded as its failure while tries are left. */
export class DataApiUnavailableError extends StepError {
  override readonly name = "DataApiUnavailableError";

  constructor(message: string, cause?: unknown) {
    super("data_api_unavailable", message, true, { cause });
  }
}

/** An error that is not the run's fault and is never recorded. */
class UnrecordedError<Code extends string> extends Error {
  constructor(
    readonly code: Code,
    message: string,
  ) {
    super(message);
  }
}

export type RunEndedCode = "claim_lost" | "pipeline_run_cancelled" | "pipeline_run_finished";

/** The run was cancelled, has finished, or was claimed by another attempt. The worker stops and records nothing. */
export class RunEndedError extends UnrecordedError<RunEndedCode> {
  override readonly name = "RunEndedError";
}

export type ContractCode = "worker_outdated" | "database_outdated";

/** This worker and the database were not built for each other. The run stays as it is, for a worker that fits. */
export class ContractError extends UnrecordedError<ContractCode> {
  override readonly name = "ContractError";
}

/**
 * The stored form of any thrown value. A whole company reads a run's error, and the text of an unknown error may hold a
 * record or a secret, so only the error's name is stored.
 */
export function toRecordedError(error: unknown): RecordedError {
  if (error instanceof StepError) {
    const { code, message, details } = error;
    return Object.keys(details).length === 0 ? { code, message } : { code, message, details };
  }
  return {
    code: "internal_error",
    message: "An unexpected error stopped the run; the task's log has the details.",
    details: { error: error instanceof Error ? error.name : typeof error },
  };
}

/** One line for Trigger.dev's dashboard. */
export function summarize({ code, message }: RecordedError): string {
  return `${code}: ${message}`;
}
