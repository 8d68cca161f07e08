// Longer than most files: one method for each function of the schema.

import { z } from "zod";

import type { Database, Json } from "./database.types";
import { env } from "../env";
import { DataApiUnavailableError, finalError, type RecordedError } from "../errors";
import { type Backoff, backoffMs, sleep } from "./backoff";
import { type Claim, claimResultSchema } from "./claim";
import type { ConditionInput } from "../pipeline/condition";
import { workerContract } from "../platform/contract";
import type { ChunkOutcome, PipelineRecord } from "../tasks/steps/step";
import { roundedTimings, type StepTimings } from "../pipeline/timings";
import { type RunTrace, traceHeaders } from "./trace";
import { refusal } from "./refusal";
import { callRpc } from "./rpc";

type WorkerFunctions = Database["worker"]["Functions"];
type WorkerFunction = keyof WorkerFunctions & string;

// Looked at and not copied, as z.object would: a run of 100,000 records reads each once a step.
const recordsSchema = z.array(z.custom<PipelineRecord>(isRecord));
const runningStepSchema = z.object({
  status: z.literal("running"),
  attempt: z.int(),
  chunk_count: z.int(),
  written_chunks: z.array(z.int()),
  /** The first input chunk that is not written. */
  next_chunk: z
    .object({ chunk_index: z.int(), records: recordsSchema })
    .transform(({ chunk_index, records }) => ({ chunkIndex: chunk_index, records }))
    .nullable(),
});
const startedStepSchema = z.discriminatedUnion("status", [
  runningStepSchema,
  /** The database has begun to take over what an earlier run had written of the step: the call is to be repeated. */
  z.object({ status: z.literal("copying") }),
  z.object({ status: z.literal("succeeded") }),
  z.object({ status: z.literal("failed") }),
  z.object({ status: z.literal("skipped") }),
]);
const failedStepSchema = z.object({ continues: z.boolean() });
const finishedRunSchema = z.object({ status: z.enum(["succeeded", "succeeded_with_errors"]) });
const conditionInputSchema = z.object({
  run: z.record(z.string(), z.unknown()),
  steps: z.array(z.looseObject({ position: z.int(), slug: z.string() })),
});
const chunkSchema = z.object({ records: recordsSchema });
const endedStepSchema = z.object({ next: startedStepSchema.nullable() });
const startSchema = z.object({
  pipeline_run_id: z.guid(),
  org_id: z.guid(),
  idempotency_key: z.string().min(1),
  /** What the start repairs, if it does: for the audit log. */
  repair: z.string().optional(),
});
const suspectSchema = z.object({
  pipeline_run_id: z.guid(),
  trigger_run_id: z.string().nullable(),
  /** The run has ended here: nothing of it shall be alive there. */
  ended: z.boolean(),
});
const reconciledSchema = z.object({
  starts: z.array(startSchema),
  suspects: z.array(suspectSchema),
  admitted: z.int(),
  failed: z.int(),
  expired_submissions: z.int(),
});
const publishedSchema = z.object({ published: z.int(), unchanged: z.int() });
const repairedSchema = z.object({ repair: z.string().nullable(), start: startSchema.nullable() });
const startsSchema = z.object({ starts: z.array(startSchema) });
const progressSchema = z.object({ chunks_written: z.int() });
const secretSchema = z.object({ value: z.string() });

export type FinishedRun = z.infer<typeof finishedRunSchema>;
export type RunningStep = z.infer<typeof runningStepSchema>;
export type StartedStep = z.infer<typeof startedStepSchema>;
export type Reconciled = z.infer<typeof reconciledSchema>;
export type Repaired = z.infer<typeof repairedSchema>;
export type Start = z.infer<typeof startSchema>;
export type Suspect = z.infer<typeof suspectSchema>;

export interface InputChunk {
  chunkIndex: number;
  records: PipelineRecord[];
}

/** What a step made of one of its input chunks. */
export interface WrittenChunk {
  chunkIndex: number;
  outcome: ChunkOutcome;
}

/** What else is said with the end of a step. */
export interface StepEnding {
  timings?: StepTimings;
  lastChunk?: WrittenChunk | undefined;
  nextStepResultId?: string | undefined;
}

export interface DataApiOptions {
  /** Of one try, from the connection to the end of the answer. */
  timeoutMs?: number;
  /** How often a call is tried while the Data API is down or overloaded. All worker functions may be repeated. */
  tries?: number;
  backoff?: Backoff;
}

/**
 * The functions of the `worker` schema, over PostgREST with the service credential. Where one takes a signal, its abort
 * ends the call and the tries to come, with the signal's reason.
 */
export class DataApi {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #timeoutMs: number;
  readonly #tries: number;
  readonly #backoff: Backoff;
  readonly #made: [supabaseUrl: string, secretKey: string, options: DataApiOptions];
  #run: RunTrace | undefined;

  constructor(supabaseUrl: string, secretKey: string, options: DataApiOptions = {}) {
    this.#made = [supabaseUrl, secretKey, options];
    this.#url = `${supabaseUrl}/rest/v1/rpc`;
    this.#headers = { apikey: secretKey, "content-profile": "worker" };
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#tries = options.tries ?? 6;
    this.#backoff = options.backoff ?? { baseMs: 250, maxMs: 4_000 };
  }

  static fromEnv(): DataApi {
    const { SUPABASE_URL, SUPABASE_SECRET_KEY } = env();
    return new DataApi(SUPABASE_URL, SUPABASE_SECRET_KEY);
  }

  /** The same for the work on one run: each call names the request and the trace that it is part of. */
  forRun(run: RunTrace): DataApi {
    const dataApi = new DataApi(...this.#made);
    dataApi.#run = run;
    return dataApi;
  }

  claimPipelineRun(pipelineRunId: string, triggerRunId: string) {
    const args = { p_pipeline_run_id: pipelineRunId, p_trigger_run_id: triggerRunId, p_contract: workerContract };
    return this.#call("claim_pipeline_run", args, claimResultSchema);
  }

  /** Rejects with a ContractError if the database does not fit this worker. */
  async checkContract(): Promise<void> {
    await this.#call("contract", { p_contract: workerContract }, z.unknown());
  }

  /** `leaseSeconds`: how long the claim holds without the next beat; the database's default is a minute. */
  async heartbeat({ pipeline_run, claim_id }: Claim, leaseSeconds?: number): Promise<void> {
    const args = { p_pipeline_run_id: pipeline_run.id, p_claim_id: claim_id };
    await this.#call("heartbeat", leaseSeconds ? { ...args, p_lease_seconds: leaseSeconds } : args, z.unknown());
  }

  /** A heartbeat that is not waited for: one short try, since the next one comes soon. */
  async beat({ pipeline_run, claim_id }: Claim): Promise<void> {
    const args = { p_pipeline_run_id: pipeline_run.id, p_claim_id: claim_id };
    await this.#call("heartbeat", args, z.unknown(), undefined, {
      timeoutMs: Math.min(this.#timeoutMs, 2_000),
      tries: 1,
    });
  }

  startStep(stepResultId: string, claimId: string, signal?: AbortSignal): Promise<StartedStep> {
    const args = { p_step_result_id: stepResultId, p_claim_id: claimId };
    return this.#call("start_step", args, startedStepSchema, signal);
  }

  async readChunk(stepResultId: string, chunkIndex: number, signal?: AbortSignal): Promise<PipelineRecord[]> {
    const args = { p_step_result_id: stepResultId, p_chunk_index: chunkIndex };
    return (await this.#call("read_chunk", args, chunkSchema, signal)).records;
  }

  async writeChunk(
    stepResultId: string,
    claimId: string,
    chunkIndex: number,
    outcome: ChunkOutcome,
    signal?: AbortSignal,
  ): Promise<void> {
    const args = {
      p_step_result_id: stepResultId,
      p_claim_id: claimId,
      p_chunk_index: chunkIndex,
      p_records: asJson(outcome.records),
      p_rejected: asJson(outcome.rejected),
      p_dropped: asJson(outcome.dropped),
    };
    await this.#call("write_chunk", args, z.unknown(), signal);
  }

  /** All in one call: `lastChunk`, if it is given, is written, the step is finished and the next one started, if there is one. */
  async endStep(
    stepResultId: string,
    claimId: string,
    { timings, lastChunk, nextStepResultId }: StepEnding,
    signal?: AbortSignal,
  ): Promise<StartedStep | undefined> {
    const args = {
      p_step_result_id: stepResultId,
      p_claim_id: claimId,
      ...(timings && { p_timings: roundedTimings(timings) }),
      ...(lastChunk && { p_last_chunk: asJson({ chunk_index: lastChunk.chunkIndex, ...lastChunk.outcome }) }),
      ...(nextStepResultId && { p_next_step_result_id: nextStepResultId }),
    };
    return (await this.#call("end_step", args, endedStepSchema, signal)).next ?? undefined;
  }

  /** `continues`: the blueprint lets the run go on without the step. */
  failStep(
    stepResultId: string,
    claimId: string,
    error: RecordedError,
    timings?: StepTimings,
  ): Promise<{ continues: boolean }> {
    const args = {
      p_step_result_id: stepResultId,
      p_claim_id: claimId,
      p_error: asJson(error),
      ...(timings && { p_timings: roundedTimings(timings) }),
    };
    return this.#call("fail_step", args, failedStepSchema);
  }

  readConditionInput(stepResultId: string): Promise<ConditionInput> {
    return this.#call("read_condition_input", { p_step_result_id: stepResultId }, conditionInputSchema);
  }

  async skipStep(stepResultId: string, claimId: string): Promise<void> {
    await this.#call("skip_step", { p_step_result_id: stepResultId, p_claim_id: claimId }, z.unknown());
  }

  finishPipelineRun({ pipeline_run, claim_id }: Claim): Promise<FinishedRun> {
    const args = { p_pipeline_run_id: pipeline_run.id, p_claim_id: claim_id };
    return this.#call("finish_pipeline_run", args, finishedRunSchema);
  }

  async failPipelineRun({ pipeline_run, claim_id }: Claim, error: RecordedError): Promise<void> {
    const args = { p_pipeline_run_id: pipeline_run.id, p_claim_id: claim_id, p_error: asJson(error) };
    await this.#call("fail_pipeline_run", args, z.unknown());
  }

  async readSecret(stepResultId: string, name: string, signal?: AbortSignal): Promise<string> {
    const args = { p_step_result_id: stepResultId, p_name: name };
    return (await this.#call("read_secret", args, secretSchema, signal)).value;
  }

  /** How many chunks the step has written. */
  async stepProgress(stepResultId: string): Promise<number> {
    return (await this.#call("step_progress", { p_step_result_id: stepResultId }, progressSchema)).chunks_written;
  }

  async takeStarts(): Promise<Start[]> {
    return (await this.#call("take_starts", {}, startsSchema)).starts;
  }

  /** Another start for one that Trigger.dev has ended already; null if the run needs none any more. */
  async replaceStart({ pipeline_run_id, idempotency_key }: Start): Promise<Start | null> {
    const args = { p_pipeline_run_id: pipeline_run_id, p_idempotency_key: idempotency_key };
    return (await this.#call("replace_start", args, repairedSchema)).start;
  }

  repairPipelineRun(
    { pipeline_run_id, trigger_run_id }: Suspect,
    finding: "unknown" | "ended" | "stopped" | "quiet",
  ): Promise<Repaired> {
    const args = { p_pipeline_run_id: pipeline_run_id, p_trigger_run_id: trigger_run_id as string, p_finding: finding };
    return this.#call("repair_pipeline_run", args, repairedSchema);
  }

  reconcilePipelineRuns(limit: number): Promise<Reconciled> {
    return this.#call("reconcile_pipeline_runs", { p_limit: limit }, reconciledSchema);
  }

  /** `repair`: what the start was for, if the reconciler made it. */
  async markPipelineRunDispatched(pipelineRunId: string, triggerRunId: string, repair?: string): Promise<void> {
    const args = {
      p_pipeline_run_id: pipelineRunId,
      p_trigger_run_id: triggerRunId,
      ...(repair && { p_repair: repair }),
    };
    await this.#call("mark_pipeline_run_dispatched", args, z.unknown());
  }

  publishSteps(steps: object[]): Promise<z.infer<typeof publishedSchema>> {
    return this.#call("publish_steps", { p_steps: asJson(steps) }, publishedSchema);
  }

  async #call<Name extends WorkerFunction, Result>(
    name: Name,
    args: WorkerFunctions[Name]["Args"],
    resultSchema: z.ZodType<Result>,
    signal?: AbortSignal,
    { timeoutMs, tries } = { timeoutMs: this.#timeoutMs, tries: this.#tries },
  ): Promise<Result> {
    for (let failures = 1; ; failures++) {
      const headers = this.#run ? { ...this.#headers, ...traceHeaders(this.#run) } : this.#headers;
      const answer = await callRpc(`${this.#url}/${name}`, args, { headers, timeoutMs, signal });
      if (answer.kind === "answered") return parseResult(name, answer.data, resultSchema);
      if (answer.kind === "refused") throw refusal(name, answer.status, answer.error);
      if (failures >= tries) {
        throw new DataApiUnavailableError(`The Data API did not answer ${name} in ${failures} tries.`, answer.cause);
      }
      await sleep(backoffMs(failures, this.#backoff), signal);
    }
  }
}

function isRecord(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { id, data } = value as Partial<PipelineRecord>;
  return typeof id === "string" && typeof data === "object" && data !== null && !Array.isArray(data);
}

/** Records hold what JSON.parse gave or what a step built of it; TypeScript cannot see that `unknown` is JSON there. */
function asJson(value: object): Json {
  return value as Json;
}

function parseResult<Result>(name: WorkerFunction, data: unknown, schema: z.ZodType<Result>): Result {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  throw finalError("internal_error", `The Data API answered ${name} in another shape than this worker knows.`, {
    cause: result.error,
  });
}
