import type { z } from "zod";

/** One JSON object of a batch. `id` is its row in the upload; a child of a fan-out gets `17.1`, `17.2`. */
export interface PipelineRecord {
  id: string;
  data: Record<string, unknown>;
}

/** Why a record was rejected or dropped: a snake_case `reason` for machines, a sentence for people. */
export interface Verdict {
  id: string;
  reason: string;
  message: string;
  details?: Record<string, unknown>;
}

/** Each input id must be in exactly one of the three lists; ids that were not in the input count as added. */
export interface ChunkOutcome {
  records: PipelineRecord[];
  rejected: Verdict[];
  dropped: Verdict[];
}

/** What a step may know of the pipeline run it works for. */
export interface PipelineRun {
  id: string;
  org_id: string;
  company_id: string;
  submission_id: string;
  run_number: number;
  blueprint_id: string;
  blueprint_version: number;
  chunk_count: number;
  record_count: number;
  /** The trace of the request that created the run, and whether its callers record it. */
  trace_id: string;
  trace_sampled: boolean;
  /** Of that request; null when an operator created the run by hand. */
  request_id: string | null;
  created_at: string;
}

/** How a column of the submission is filled, counted as the file was read. */
export interface ColumnProfile {
  name: string;
  /** Not blank after trimming. */
  filled: number;
  /** Has letters with case, all of them capitals. */
  capitals: number;
  /** Has letters with case, none of them a capital. */
  lower_case: number;
  /** Reads as a number. */
  numeric: number;
}

/** What a step made of a column: one of its own fields, or none. */
export interface ColumnUse {
  name: string;
  field: string | null;
}

/** Tells people of what they should check although nothing failed. The same code and message count once. */
export type Warn = (code: string, message: string, details?: Record<string, unknown>) => void;

export interface StepContext<Config, State> {
  config: Config;
  state: State;
  /** The submission's columns in the order of the source, the same in each retry; empty when nobody counted them. */
  columns: readonly ColumnProfile[];
  warn: Warn;
  /** Says which column became which field. Each chunk may say it; the newest counts. */
  reportColumns(uses: readonly ColumnUse[]): void;
  /** Aborts when the run is cancelled or another attempt took it over; pass it to every outside call. */
  signal: AbortSignal;
  pipelineRun: PipelineRun;
  /** Stable over attempts, crashes and retries of the run: with the chunk index it names one delivery for the other side's idempotency. */
  deliveryKey: string;
  chunkIndex: number;
  /** The value of an org's secret that the step's config names as `secret_name`. */
  readSecret(name: string): Promise<string>;
}

export interface BatchChunk {
  chunkIndex: number;
  records: PipelineRecord[];
  /** What its condition lets pass the step by: part of the chunk that it writes. */
  passing: readonly PipelineRecord[];
}

export interface BatchContext<Config> {
  config: Config;
  signal: AbortSignal;
  warn: Warn;
  /** The step's whole input, or these chunks of it, in order and a chunk at a time; also while chunks are processed. */
  readInput(chunkIndexes?: readonly number[]): AsyncIterable<BatchChunk>;
}

export interface StepDefinition<Config, State> {
  /** Name in blueprints, file name, and for a task step the Trigger.dev task's id. */
  slug: string;
  version: string;
  title: string;
  description: string;
  /** `inline` costs no time and runs inside the pipeline task; `task` calls the outside world and runs as its own. */
  executionMode: "inline" | "task";
  configSchema: z.ZodType<Config>;
  /** Schema of one record's `data`, published for people and blueprints; the step itself decides what it rejects. */
  inputSchema: z.ZodType;
  outputSchema: z.ZodType;
  /**
   * Sees the whole input once, before the first chunk. Must be deterministic: a crashed run prepares again
   * and goes on with the chunks that are not written yet.
   */
  prepareBatch?(context: BatchContext<Config>): Promise<State>;
  processChunk(records: PipelineRecord[], context: StepContext<Config, State>): Promise<ChunkOutcome> | ChunkOutcome;
}

/** The Trigger.dev task that executes the step: its own, or the pipeline's. */
export function taskIdOf({ executionMode, slug }: Pick<AnyStepDefinition, "executionMode" | "slug">): string {
  return executionMode === "task" ? slug : "run-pipeline";
}

/** A step of any config and state: what the registry and the pipeline hold. */
export type AnyStepDefinition = StepDefinition<unknown, unknown>;

/** Names a step's types once; the literal keeps its inference. */
export function defineStep<Config, State = undefined>(
  definition: StepDefinition<Config, State>,
): StepDefinition<Config, State> {
  return definition;
}
