import { z } from "zod";

export const pipelineRunSchema = z.object({
  id: z.guid(),
  org_id: z.guid(),
  company_id: z.guid(),
  submission_id: z.guid(),
  run_number: z.int(),
  blueprint_id: z.guid(),
  blueprint_version: z.int(),
  chunk_count: z.int(),
  record_count: z.int(),
  /** The trace of the request that created the run, and whether its callers record it. */
  trace_id: z.string().regex(/^[0-9a-f]{32}$/),
  trace_sampled: z.boolean(),
  /** The id of that request; null when an operator created the run by hand. */
  request_id: z.string().nullable(),
  created_at: z.string(),
});

/** How a column of the submission is filled, counted while the file is read. */
export const columnProfileSchema = z.object({
  name: z.string(),
  /** Not blank after trimming. */
  filled: z.int(),
  /** Has letters with case, all of them capitals. */
  capitals: z.int(),
  /** Has letters with case, none of them a capital. */
  lower_case: z.int(),
  /** Reads as a number. */
  numeric: z.int(),
});

/** `on`: the error codes that are retried; without it, every error that the step calls retryable. */
const retrySchema = z.object({
  max_attempts: z.int().min(1).optional(),
  backoff: z
    .object({
      initial_seconds: z.number().positive().optional(),
      max_seconds: z.number().positive().optional(),
      factor: z.number().min(1).optional(),
    })
    .nullish(),
  on: z.array(z.string()).nullish(),
});

/** One step of the run's blueprint snapshot, with the step result that it fills. */
export const claimedStepSchema = z.object({
  step_result_id: z.guid(),
  position: z.int(),
  slug: z.string(),
  version: z.string(),
  task_id: z.string(),
  execution_mode: z.enum(["inline", "task"]),
  config: z.unknown(),
  continue_on_error: z.boolean(),
  timeout_seconds: z.number().positive().nullable(),
  retry: retrySchema.nullable(),
  run_if: z.string().nullable(),
  concurrency: z.int().min(1).nullable(),
  /** Names the step's deliveries. A retry keeps the key of the run that it retries. */
  delivery_key: z.string(),
  status: z.string(),
  /** Whether this run, or the one that it retries, has started the step: its condition is decided already. */
  begun: z.boolean(),
});

export const claimResultSchema = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.literal("claimed"),
    claim_id: z.guid(),
    pipeline_run: pipelineRunSchema,
    columns: z.array(columnProfileSchema),
    steps: z.array(claimedStepSchema),
  }),
  z.object({ outcome: z.literal("finished"), status: z.string() }),
  z.object({ outcome: z.literal("claimed_elsewhere") }),
  z.object({ outcome: z.literal("not_admitted") }),
]);

/** What the pipeline task passes to a step's own task. The child works under its parent's claim and loses it with it. */
export const stepTaskPayloadSchema = z.object({
  pipeline_run: pipelineRunSchema,
  claim_id: z.guid(),
  /** Missing in a task that a worker of an older release started. */
  columns: z.array(columnProfileSchema).default([]),
  step: claimedStepSchema,
});

export type ColumnProfile = z.infer<typeof columnProfileSchema>;
/** What a step may know of the pipeline run that it works for. */
export type PipelineRun = z.infer<typeof pipelineRunSchema>;
export type ClaimedStep = z.infer<typeof claimedStepSchema>;
export type StepTaskPayload = z.infer<typeof stepTaskPayloadSchema>;

/** The right to write for one run. After a later claim of the same run, every write under this one fails with claim_lost. */
export type Claim = Pick<StepTaskPayload, "pipeline_run" | "claim_id">;
