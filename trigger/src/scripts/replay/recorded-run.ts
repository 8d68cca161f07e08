import { z } from "zod";

import type { ConditionInput, StartedStep } from "../../worker-api/answers";
import { claimedStepSchema, columnProfileSchema, pipelineRunSchema } from "../../worker-api/claim";
import { DataApi, type StepEnding, type WrittenChunk } from "../../worker-api/client";
import type { PipelineRecord } from "../../worker-api/records";

/** A step of the run and the record of what it did. */
const recordedStepSchema = claimedStepSchema.extend({
  /** The step result with the step's input and output: its own, or the one of an earlier run that it reuses. */
  recorded_id: z.guid(),
  skip_reason: z.string().nullable(),
  chunk_count: z.int(),
  /** The chunks that the step wrote: all of them, or those before it failed or was cancelled. */
  recorded_chunks: z.array(z.int()),
});

/** A finished run as `python -m local replay` passes it. */
export const recordedRunSchema = z.object({
  pipeline_run: pipelineRunSchema,
  columns: z.array(columnProfileSchema),
  steps: z.array(recordedStepSchema),
});

export type RecordedStep = z.infer<typeof recordedStepSchema>;
export type RecordedRun = z.infer<typeof recordedRunSchema>;

/** Where the run's input and condition inputs are read from. */
export interface Source {
  supabaseUrl: string;
  secretKey: string;
}

/**
 * The Data API as a replayed step sees it. The step reads its recorded input, writes only to `onChunk`, and is asked only
 * for the chunks that are recorded.
 */
export class RecordedDataApi extends DataApi {
  /** Each secret that the step reads has the value `secret`. */
  constructor(
    { supabaseUrl, secretKey }: Source,
    private readonly step: RecordedStep,
    private readonly secret: string,
    private readonly onChunk: (chunk: WrittenChunk) => void,
  ) {
    super(supabaseUrl, secretKey);
  }

  override startStep(): Promise<StartedStep> {
    const { chunk_count, recorded_chunks } = this.step;
    const recorded = new Set(recorded_chunks);
    const others = Array.from({ length: chunk_count }, (_, index) => index).filter((index) => !recorded.has(index));
    return Promise.resolve({ status: "running", attempt: 1, chunk_count, written_chunks: others, next_chunk: null });
  }

  override readChunk(_stepResultId: string, chunkIndex: number, signal?: AbortSignal): Promise<PipelineRecord[]> {
    return super.readChunk(this.step.recorded_id, chunkIndex, signal);
  }

  override readConditionInput(): Promise<ConditionInput> {
    return super.readConditionInput(this.step.recorded_id);
  }

  override writeChunk(_stepResultId: string, _claimId: string, chunk: WrittenChunk): Promise<void> {
    this.onChunk(chunk);
    return Promise.resolve();
  }

  override endStep(_stepResultId: string, _claimId: string, { lastChunk }: StepEnding): Promise<undefined> {
    if (lastChunk) this.onChunk(lastChunk);
    return Promise.resolve(undefined);
  }

  override readSecret(): Promise<string> {
    return Promise.resolve(this.secret);
  }
}
