import { randomBytes, randomUUID } from "node:crypto";

import { toRecordedError } from "../../errors";
import { executeStep, parseCondition } from "../../pipeline/execute-step";
import { definitionOf } from "../../pipeline/run";
import type { ChunkOutcome } from "../../tasks/steps/step";
import { StepTimings } from "../../pipeline/timings";
import { findStep } from "../../tasks/steps";
import { recordedOutside } from "./outside";
import { RecordedDataApi, type RecordedRun, type RecordedStep } from "./recorded-run";

/** What a replay tells, a line of JSON each: chunks in the order in which they are made, then how the step ended. */
export type ReplayEvent =
  | ({ event: "chunk"; position: number; chunk_index: number } & ChunkOutcome)
  | { event: "condition"; position: number; holds: boolean }
  | { event: "unknown_answers"; position: number }
  | { event: "failed"; position: number; code: string; message: string }
  | { event: "done"; position: number };

/** Where the run's input and condition inputs are read. */
export interface Source {
  supabaseUrl: string;
  secretKey: string;
}

/** Executes the steps of a finished run again, with the worker's own code, and writes nothing anywhere. */
export async function replayRun(run: RecordedRun, source: Source, tell: (event: ReplayEvent) => void): Promise<void> {
  for (const step of run.steps) {
    try {
      await replayStep(run, step, source, tell);
      tell({ event: "done", position: step.position });
    } catch (error) {
      const { code, message } = toRecordedError(error);
      tell({ event: "failed", position: step.position, code, message });
    }
  }
}

async function replayStep(
  run: RecordedRun,
  step: RecordedStep,
  source: Source,
  tell: (event: ReplayEvent) => void,
): Promise<void> {
  const { position } = step;
  const asked = step.skip_reason === "condition" || step.recorded_chunks.length > 0;
  if (!asked) return;
  const definition = definitionOf(step, { findStep });
  const condition = parseCondition(step);
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const dataApi = new RecordedDataApi(source, step, secret, (chunkIndex, outcome) =>
    tell({ event: "chunk", position, chunk_index: chunkIndex, ...outcome }),
  );
  if (condition !== undefined && !condition.asksRecords) {
    tell({ event: "condition", position, holds: condition.holdsForRun(await dataApi.readConditionInput()) });
  }
  if (step.skip_reason === "condition") return;

  const outside = definition.executionMode === "task" ? await recordedOutside(step.slug, step.config) : undefined;
  if (definition.executionMode === "task" && outside === undefined) {
    tell({ event: "unknown_answers", position });
    return;
  }
  try {
    await executeStep({
      dataApi,
      claim: { pipeline_run: run.pipeline_run, claim_id: randomUUID() },
      step: { ...step, config: outside ? outside.config : step.config },
      definition,
      condition,
      signal: new AbortController().signal,
      timings: new StepTimings(),
    });
  } finally {
    outside?.close();
  }
}
