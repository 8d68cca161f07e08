import { z } from "zod";

import { env } from "../env";
import { DataApiUnavailableError, finalError, type RecordedError } from "../errors";
import * as answers from "./answers";
import { type Backoff, backoffMs, sleep } from "./backoff";
import { type Claim, claimResultSchema } from "./claim";
import { workerContract } from "./contract";
import type { Database, Json } from "./database.types";
import type { ChunkOutcome, PipelineRecord } from "./records";
import { refusal } from "./refusal";
import type { Remarks } from "./remarks";
import { callRpc } from "./rpc";
import { type RunTrace, traceHeaders } from "./trace";

type WorkerFunctions = Database["worker"]["Functions"];
type WorkerFunction = keyof WorkerFunctions & string;

/** The output of a step for one of its input chunks. */
export interface WrittenChunk {
  chunkIndex: number;
  outcome: ChunkOutcome;
}

/** Whole milliseconds that a step spent, over all of its attempts in this process. */
export type RecordedTimings = Record<"reading_ms" | "processing_ms" | "writing_ms", number>;

/** What one call says at the end of a step: its timings and remarks, its last chunk, and the step to start next. */
export interface StepEnding {
  timings?: RecordedTimings;
  remarks?: Remarks;
  lastChunk?: WrittenChunk | undefined;
  nextStepResultId?: string | undefined;
}

export interface DataApiOptions {
  /** Limits one try, from the connection to the end of the answer. */
  timeoutMs?: number;
  /** How often a call is tried while the Data API is down or overloaded. Every worker function may be repeated. */
  tries?: number;
  backoff?: Backoff;
}

interface CallOptions extends DataApiOptions {
  signal?: AbortSignal | undefined;
}

/**
 * The functions of the `worker` schema, over PostgREST with the service credential. Where a method takes a signal, its
 * abort ends the call and the remaining tries, with the signal's reason.
 */
export class DataApi {
  constructor(
    private readonly supabaseUrl: string,
    private readonly secretKey: string,
    private readonly options: DataApiOptions = {},
    private readonly run?: RunTrace,
  ) {}

  static fromEnv(): DataApi {
    const { SUPABASE_URL, SUPABASE_SECRET_KEY } = env();
    return new DataApi(SUPABASE_URL, SUPABASE_SECRET_KEY);
  }

  /** A client whose calls name the run's request and trace. */
  forRun(run: RunTrace): DataApi {
    return new DataApi(this.supabaseUrl, this.secretKey, this.options, run);
  }

  claimPipelineRun(pipelineRunId: string, triggerRunId: string) {
    const args = { p_pipeline_run_id: pipelineRunId, p_trigger_run_id: triggerRunId, p_contract: workerContract };
    return this.#call("claim_pipeline_run", args, claimResultSchema);
  }

  /** Rejects with a ContractError if the database does not fit this worker. */
  async checkContract(): Promise<void> {
    await this.#call("contract", { p_contract: workerContract }, z.unknown());
  }

  /**
   * Keeps the claim for `leaseSeconds`, by default the database's minute. A `periodic` call makes one short try, since the
   * next one follows soon.
   */
  async heartbeat(
    claim: Claim,
    { leaseSeconds, periodic = false }: { leaseSeconds?: number; periodic?: boolean } = {},
  ): Promise<void> {
    const args = { ...runArgs(claim), ...(leaseSeconds && { p_lease_seconds: leaseSeconds }) };
    await this.#call("heartbeat", args, z.unknown(), periodic ? { timeoutMs: 2_000, tries: 1 } : {});
  }

  startStep(stepResultId: string, claimId: string, signal?: AbortSignal): Promise<answers.StartedStep> {
    return this.#call("start_step", stepArgs(stepResultId, claimId), answers.startedStepSchema, { signal });
  }

  async readChunk(stepResultId: string, chunkIndex: number, signal?: AbortSignal): Promise<PipelineRecord[]> {
    const args = { p_step_result_id: stepResultId, p_chunk_index: chunkIndex };
    return (await this.#call("read_chunk", args, answers.chunkSchema, { signal })).records;
  }

  async writeChunk(
    stepResultId: string,
    claimId: string,
    { chunkIndex, outcome }: WrittenChunk,
    signal?: AbortSignal,
  ): Promise<void> {
    const args = {
      ...stepArgs(stepResultId, claimId),
      p_chunk_index: chunkIndex,
      p_records: asJson(outcome.records),
      p_rejected: asJson(outcome.rejected),
      p_dropped: asJson(outcome.dropped),
    };
    await this.#call("write_chunk", args, z.unknown(), { signal });
  }

  /** Writes `lastChunk`, finishes the step and starts the next one, in one transaction; returns how the next one stands. */
  async endStep(
    stepResultId: string,
    claimId: string,
    { timings, remarks, lastChunk, nextStepResultId }: StepEnding,
    signal?: AbortSignal,
  ): Promise<answers.StartedStep | undefined> {
    const args = {
      ...stepArgs(stepResultId, claimId),
      ...(timings && { p_timings: timings }),
      ...(remarks && remarks.warnings.length > 0 && { p_warnings: asJson(remarks.warnings) }),
      ...(remarks?.columns && { p_columns: asJson(remarks.columns) }),
      ...(lastChunk && { p_last_chunk: asJson({ chunk_index: lastChunk.chunkIndex, ...lastChunk.outcome }) }),
      ...(nextStepResultId && { p_next_step_result_id: nextStepResultId }),
    };
    return (await this.#call("end_step", args, answers.endedStepSchema, { signal })).next ?? undefined;
  }

  failStep(stepResultId: string, claimId: string, error: RecordedError, timings?: RecordedTimings) {
    const args = {
      ...stepArgs(stepResultId, claimId),
      p_error: asJson(error),
      ...(timings && { p_timings: timings }),
    };
    return this.#call("fail_step", args, answers.failedStepSchema);
  }

  readConditionInput(stepResultId: string): Promise<answers.ConditionInput> {
    return this.#call("read_condition_input", { p_step_result_id: stepResultId }, answers.conditionInputSchema);
  }

  async skipStep(stepResultId: string, claimId: string): Promise<void> {
    await this.#call("skip_step", stepArgs(stepResultId, claimId), z.unknown());
  }

  finishPipelineRun(claim: Claim): Promise<answers.FinishedRun> {
    return this.#call("finish_pipeline_run", runArgs(claim), answers.finishedRunSchema);
  }

  async failPipelineRun(claim: Claim, error: RecordedError): Promise<void> {
    await this.#call("fail_pipeline_run", { ...runArgs(claim), p_error: asJson(error) }, z.unknown());
  }

  async readSecret(stepResultId: string, name: string, signal?: AbortSignal): Promise<string> {
    const args = { p_step_result_id: stepResultId, p_name: name };
    return (await this.#call("read_secret", args, answers.secretSchema, { signal })).value;
  }

  /** How many chunks the step has written. */
  async stepProgress(stepResultId: string): Promise<number> {
    return (await this.#call("step_progress", { p_step_result_id: stepResultId }, answers.progressSchema))
      .chunks_written;
  }

  async takeStarts(): Promise<answers.Start[]> {
    return (await this.#call("take_starts", {}, answers.startsSchema)).starts;
  }

  /** A new start in place of one that is over at Trigger.dev; null if the run needs none any more. */
  async replaceStart({ pipeline_run_id, idempotency_key }: answers.Start): Promise<answers.Start | null> {
    const args = { p_pipeline_run_id: pipeline_run_id, p_idempotency_key: idempotency_key };
    return (await this.#call("replace_start", args, answers.repairedSchema)).start;
  }

  repairPipelineRun(
    { pipeline_run_id, trigger_run_id }: answers.Suspect,
    finding: "unknown" | "ended" | "stopped" | "quiet",
  ): Promise<answers.Repaired> {
    const args = { p_pipeline_run_id: pipeline_run_id, p_trigger_run_id: trigger_run_id as string, p_finding: finding };
    return this.#call("repair_pipeline_run", args, answers.repairedSchema);
  }

  reconcilePipelineRuns(limit: number) {
    return this.#call("reconcile_pipeline_runs", { p_limit: limit }, answers.reconciledSchema);
  }

  async markPipelineRunDispatched({ pipeline_run_id, repair }: answers.Start, triggerRunId: string): Promise<void> {
    const start = { p_pipeline_run_id: pipeline_run_id, p_trigger_run_id: triggerRunId };
    const args = { ...start, ...(repair && { p_repair: repair }) };
    await this.#call("mark_pipeline_run_dispatched", args, z.unknown());
  }

  publishSteps(steps: object[]) {
    return this.#call("publish_steps", { p_steps: asJson(steps) }, answers.publishedSchema);
  }

  async #call<Name extends WorkerFunction, Result>(
    name: Name,
    args: WorkerFunctions[Name]["Args"],
    resultSchema: z.ZodType<Result>,
    callOptions: CallOptions = {},
  ): Promise<Result> {
    const defaults = { timeoutMs: 30_000, tries: 6, backoff: { baseMs: 250, maxMs: 4_000 } };
    const { timeoutMs, tries, backoff, signal } = { ...defaults, ...this.options, ...callOptions };
    const url = `${this.supabaseUrl}/rest/v1/rpc/${name}`;
    for (let failures = 1; ; failures++) {
      // Each try has a span of its own in the run's trace.
      const trace = this.run && traceHeaders(this.run);
      const headers = { apikey: this.secretKey, "content-profile": "worker", ...trace };
      const answer = await callRpc(url, args, { headers, timeoutMs, signal });
      if (answer.kind === "answered") return parseResult(name, answer.data, resultSchema);
      if (answer.kind === "refused") throw refusal(name, answer.status, answer.error);
      if (failures >= tries) {
        throw new DataApiUnavailableError(`The Data API did not answer ${name} in ${failures} tries.`, answer.cause);
      }
      await sleep(backoffMs(failures, backoff), signal);
    }
  }
}

function runArgs({ pipeline_run, claim_id }: Claim) {
  return { p_pipeline_run_id: pipeline_run.id, p_claim_id: claim_id };
}

function stepArgs(stepResultId: string, claimId: string) {
  return { p_step_result_id: stepResultId, p_claim_id: claimId };
}

/** Records hold what JSON.parse gave or what a step built from it; TypeScript cannot see that this `unknown` is JSON. */
function asJson(value: object): Json {
  return value as Json;
}

function parseResult<Result>(name: WorkerFunction, data: unknown, schema: z.ZodType<Result>): Result {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  throw finalError("internal_error", `The Data API's answer to ${name} has a shape that this worker does not know.`, {
    cause: result.error,
  });
}
