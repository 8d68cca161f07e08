import { z } from "zod";

import type { PipelineRun } from "../../worker-api/claim";
import type { ChunkOutcome, ColumnProfile, ColumnUse, PipelineRecord, Verdict } from "../../worker-api/records";

export type { ChunkOutcome, ColumnProfile, ColumnUse, PipelineRecord, PipelineRun, Verdict };

/** Reports something that people should check although nothing failed. The same code and message count once. */
export type Warn = (code: string, message: string, details?: Record<string, unknown>) => void;

/** What a step knows while it processes one chunk. */
export interface StepContext<Config, State> {
  config: Config;
  state: State;
  /** The submission's columns in the order of the source, the same in each attempt and retry; empty if they were not counted. */
  columns: readonly ColumnProfile[];
  warn: Warn;
  /** Reports which column became which field. Each chunk may report it; the newest report counts. */
  reportColumns(uses: readonly ColumnUse[]): void;
  /** Aborts when the run is cancelled or another attempt claims it; pass it to every outside call. */
  signal: AbortSignal;
  pipelineRun: PipelineRun;
  /** Stays the same over attempts, crashes and retries of the run; with `chunkIndex` it identifies a delivery to its receiver. */
  deliveryKey: string;
  chunkIndex: number;
  /** The value of an org's secret. The step's config must name the secret as `secret_name`. */
  readSecret(name: string): Promise<string>;
  /** A `traceparent` header for one outside request. */
  traceparent(): string;
}

export interface BatchChunk {
  chunkIndex: number;
  records: PipelineRecord[];
  /** The records for which the step's condition is false. The chunk that the step writes contains them unchanged. */
  passing: readonly PipelineRecord[];
}

/** What a step knows while it prepares for the whole batch. */
export interface BatchContext<Config> {
  config: Config;
  signal: AbortSignal;
  warn: Warn;
  /** The step's whole input, or the chunks with these indexes, in order. May also be called while chunks are processed. */
  readInput(chunkIndexes?: readonly number[]): AsyncIterable<BatchChunk>;
}

/** What a step calls instead of the outside world when a finished run is replayed: the config leads there. */
export interface StandIn<Config> {
  config: Config;
  close(): void;
}

/** Each reason for which a step rejects or drops records, with the sentence that its page says about it. */
export type Reasons = Readonly<Record<string, string>>;

/** A config and records for the step's page, which shows what the step makes of them. */
export interface Example<ConfigInput> {
  config: ConfigInput;
  records: readonly Record<string, unknown>[];
}

interface StepParts<Config, State> {
  /** The name in blueprints, of the folder and, for a task step, of its Trigger.dev task. */
  slug: string;
  version: string;
  title: string;
  description: string;
  /** Answers for the outside world in a replay. A task step without it is not replayed. */
  standIn?(config: Config): Promise<StandIn<Config>>;
  /** Sees the whole input once, before the first chunk. Must be deterministic: after a crash it runs again. */
  prepareBatch?(context: BatchContext<Config>): Promise<State>;
  processChunk(records: PipelineRecord[], context: StepContext<Config, State>): Promise<ChunkOutcome> | ChunkOutcome;
}

/** A step with all defaults filled in. */
export interface StepDefinition<Config, State> extends StepParts<Config, State> {
  executionMode: "inline" | "task";
  configSchema: z.ZodType<Config>;
  inputSchema: z.ZodType;
  outputSchema: z.ZodType;
  rejects: Reasons;
  drops: Reasons;
  example: Example<unknown>;
}

/** A step of any config and state: what the registry and the pipeline hold. */
export type AnyStepDefinition = StepDefinition<unknown, unknown>;

interface StepDraft<Config, ConfigInput, State> extends StepParts<Config, State> {
  /** `inline`, the default, computes inside the pipeline task. `task` calls the outside world and runs as its own task. */
  executionMode?: "inline" | "task";
  configSchema: z.ZodType<Config, ConfigInput>;
  /** Published schemas of one record's `data`; any object by default. Records are not checked against them. */
  inputSchema?: z.ZodType;
  outputSchema?: z.ZodType;
  rejects?: Reasons;
  drops?: Reasons;
  example: Example<NoInfer<ConfigInput>>;
}

const anyObject = z.record(z.string(), z.unknown());

/** Infers the type of the config from its schema, and that of the state from `prepareBatch`. */
export function defineStep<Config, ConfigInput, State = undefined>(
  draft: StepDraft<Config, ConfigInput, State>,
): StepDefinition<Config, State> {
  const schemas = { inputSchema: anyObject, outputSchema: anyObject };
  return { executionMode: "inline", ...schemas, rejects: {}, drops: {}, ...draft };
}

type RecordOutcome = { kept: PipelineRecord } | { rejected: Verdict } | { dropped: Verdict };

/** The record passes on, with `data` if that is given. */
export function keep(record: PipelineRecord, data?: Record<string, unknown>): RecordOutcome {
  return { kept: data === undefined ? record : { id: record.id, data } };
}

/** The record should have been processed and could not be: a person has to look at it. */
export function reject(record: PipelineRecord, reason: string, message: string, details?: object): RecordOutcome {
  return { rejected: verdict(record, reason, message, details) };
}

/** The record is not needed. */
export function drop(record: PipelineRecord, reason: string, message: string, details?: object): RecordOutcome {
  return { dropped: verdict(record, reason, message, details) };
}

function verdict({ id }: PipelineRecord, reason: string, message: string, details?: object): Verdict {
  return { id, reason, message, ...(details && { details: { ...details } }) };
}

/** The outcome of a chunk whose records are decided one by one. */
export function eachRecord(
  records: readonly PipelineRecord[],
  decide: (record: PipelineRecord, index: number) => RecordOutcome,
): ChunkOutcome {
  const outcome: ChunkOutcome = { records: [], rejected: [], dropped: [] };
  for (const [index, record] of records.entries()) {
    const decided = decide(record, index);
    if ("kept" in decided) outcome.records.push(decided.kept);
    else if ("rejected" in decided) outcome.rejected.push(decided.rejected);
    else outcome.dropped.push(decided.dropped);
  }
  return outcome;
}

/** The Trigger.dev task that executes the step: its own, or the pipeline's. */
export function taskIdOf({ executionMode, slug }: Pick<AnyStepDefinition, "executionMode" | "slug">): string {
  return executionMode === "task" ? slug : "run-pipeline";
}

/** The step as `worker.publish_steps` takes it, with its zod schemas as JSON Schema. */
export function describeStep(definition: AnyStepDefinition) {
  const { slug, version, title, description, executionMode } = definition;
  return {
    slug,
    version,
    title,
    description,
    execution_mode: executionMode,
    task_id: taskIdOf(definition),
    // Blueprint authors may leave out fields with a default, so the config is described as input.
    config_schema: z.toJSONSchema(definition.configSchema, { io: "input" }),
    input_schema: z.toJSONSchema(definition.inputSchema, { io: "input" }),
    output_schema: z.toJSONSchema(definition.outputSchema, { io: "output" }),
  };
}
