import { z } from "zod";

import { DataApi, type StartedStep, type StepEnding } from "../../worker-api/client";
import { claimedStepSchema, pipelineRunSchema } from "../../worker-api/claim";
import type { ConditionInput } from "../../pipeline/condition";
import type { ChunkOutcome, PipelineRecord } from "../../tasks/steps/step";

/** A step of the run, and where what it did is recorded. */
const recordedStepSchema = claimedStepSchema.extend({
  /** Whose input and output are the step's: its own step result, or that of the earlier run which it reuses. */
  recorded_id: z.guid(),
  skip_reason: z.string().nullable(),
  chunk_count: z.int(),
  /** Chunks that it has written: all of them, or those before it failed or was cancelled. */
  recorded_chunks: z.array(z.int()),
});

/** A finished run as `python -m local replay` hands it over. */
export const recordedRunSchema = z.object({
  pipeline_run: pipelineRunSchema,
  steps: z.array(recordedStepSchema),
});

export type RecordedStep = z.infer<typeof recordedStepSchema>;
export type RecordedRun = z.infer<typeof recordedRunSchema>;

/**
 * The Data API as a replayed step sees it: its input is read as it was, what it writes goes to `onChunk` and nowhere else,
 * and only the chunks that are recorded are asked for.
 */
export class RecordedDataApi extends DataApi {
  readonly #step: RecordedStep;
  readonly #onChunk: (chunkIndex: number, outcome: ChunkOutcome) => void;
  readonly #secret: string;

  /** `secret` is what the step gets for each secret that it reads. */
  constructor(
    { supabaseUrl, secretKey }: { supabaseUrl: string; secretKey: string },
    step: RecordedStep,
    secret: string,
    onChunk: (chunkIndex: number, outcome: ChunkOutcome) => void,
  ) {
    super(supabaseUrl, secretKey);
    this.#step = step;
    this.#secret = secret;
    this.#onChunk = onChunk;
  }

  override startStep(): Promise<StartedStep> {
    const { chunk_count, recorded_chunks } = this.#step;
    const recorded = new Set(recorded_chunks);
    const others = Array.from({ length: chunk_count }, (_, index) => index).filter((index) => !recorded.has(index));
    return Promise.resolve({ status: "running", attempt: 1, chunk_count, written_chunks: others, next_chunk: null });
  }

  override readChunk(_stepResultId: string, chunkIndex: number, signal?: AbortSignal): Promise<PipelineRecord[]> {
    return super.readChunk(this.#step.recorded_id, chunkIndex, signal);
  }

  override readConditionInput(): Promise<ConditionInput> {
    return super.readConditionInput(this.#step.recorded_id);
  }

  override writeChunk(
    _stepResultId: string,
    _claimId: string,
    chunkIndex: number,
    outcome: ChunkOutcome,
  ): Promise<void> {
    this.#onChunk(chunkIndex, outcome);
    return Promise.resolve();
  }

  override endStep(_stepResultId: string, _claimId: string, { lastChunk }: StepEnding): Promise<undefined> {
    if (lastChunk) this.#onChunk(lastChunk.chunkIndex, lastChunk.outcome);
    return Promise.resolve(undefined);
  }

  override readSecret(): Promise<string> {
    return Promise.resolve(this.#secret);
  }
}
