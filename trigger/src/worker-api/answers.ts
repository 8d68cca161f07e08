import { z } from "zod";

import { recordsSchema } from "./records";

/** What the functions of the `worker` schema answer. */

const runningStepSchema = z.object({
  status: z.literal("running"),
  attempt: z.int(),
  chunk_count: z.int(),
  written_chunks: z.array(z.int()),
  /** The first input chunk whose output is not written. */
  next_chunk: z
    .object({ chunk_index: z.int(), records: recordsSchema })
    .transform(({ chunk_index, records }) => ({ chunkIndex: chunk_index, records }))
    .nullable(),
});
export const startedStepSchema = z.discriminatedUnion("status", [
  runningStepSchema,
  /** The database is still copying chunks of an earlier run: repeat the call. */
  z.object({ status: z.literal("copying") }),
  z.object({ status: z.literal("succeeded") }),
  z.object({ status: z.literal("failed") }),
  z.object({ status: z.literal("skipped") }),
]);
export const endedStepSchema = z.object({ next: startedStepSchema.nullable() });
/** `continues`: the blueprint lets the run go on without the step. */
export const failedStepSchema = z.object({ continues: z.boolean() });
export const chunkSchema = z.object({ records: recordsSchema });
export const conditionInputSchema = z.object({
  run: z.record(z.string(), z.unknown()),
  steps: z.array(z.looseObject({ position: z.int(), slug: z.string() })),
});
export const finishedRunSchema = z.object({ status: z.enum(["succeeded", "succeeded_with_errors"]) });
export const progressSchema = z.object({ chunks_written: z.int() });
export const secretSchema = z.object({ value: z.string() });
export const publishedSchema = z.object({ published: z.int(), unchanged: z.int() });

const startSchema = z.object({
  pipeline_run_id: z.guid(),
  org_id: z.guid(),
  idempotency_key: z.string().min(1),
  /** The repair that the start belongs to, for the audit log. */
  repair: z.string().optional(),
});
const suspectSchema = z.object({
  pipeline_run_id: z.guid(),
  trigger_run_id: z.string().nullable(),
  /** The pipeline run is final, so none of its Trigger.dev runs may be alive. */
  ended: z.boolean(),
});
export const startsSchema = z.object({ starts: z.array(startSchema) });
export const repairedSchema = z.object({ repair: z.string().nullable(), start: startSchema.nullable() });
export const reconciledSchema = startsSchema.extend({
  suspects: z.array(suspectSchema),
  admitted: z.int(),
  failed: z.int(),
  expired_submissions: z.int(),
});

export type InputChunk = NonNullable<RunningStep["next_chunk"]>;
export type RunningStep = z.infer<typeof runningStepSchema>;
export type StartedStep = z.infer<typeof startedStepSchema>;
/** What a condition may know beside a record: the run, and the results of the steps before its own. */
export type ConditionInput = z.infer<typeof conditionInputSchema>;
export type FinishedRun = z.infer<typeof finishedRunSchema>;
export type Start = z.infer<typeof startSchema>;
export type Suspect = z.infer<typeof suspectSchema>;
export type Repaired = z.infer<typeof repairedSchema>;
