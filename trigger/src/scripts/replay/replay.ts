import { randomBytes, randomUUID } from "node:crypto";

import { toRecordedError } from "../../errors";
import { executeStep, parseCondition, parseConfig } from "../../pipeline/execute-step";
import { definitionOf } from "../../pipeline/run";
import { StepRemarks } from "../../pipeline/step-remarks";
import { StepTimings } from "../../pipeline/timings";
import { findStep } from "../../tasks/steps/registry";
import type { ChunkOutcome } from "../../worker-api/records";
import { RecordedDataApi, type RecordedRun, type RecordedStep, type Source } from "./recorded-run";

/** What a replay prints, one JSON object a line: a step's chunks as they are made, then how the step ended. */
export type ReplayEvent =
  | ({ event: "chunk"; position: number; chunk_index: number } & ChunkOutcome)
  | { event: "condition"; position: number; holds: boolean }
  | { event: "unknown_answers"; position: number }
  | { event: "failed"; position: number; code: string; message: string }
  | { event: "done"; position: number };

/** Executes the steps of a finished run again with the worker's own code, and writes nothing to the database. */
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
  if (step.skip_reason !== "condition" && step.recorded_chunks.length === 0) return;
  const definition = definitionOf(step, { findStep });
  const condition = parseCondition(step);
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const dataApi = new RecordedDataApi(source, step, secret, ({ chunkIndex, outcome }) =>
    tell({ event: "chunk", position, chunk_index: chunkIndex, ...outcome }),
  );
  if (condition !== undefined && !condition.appliesToRecords) {
    tell({ event: "condition", position, holds: condition.holdsForRun(await dataApi.readConditionInput()) });
  }
  if (step.skip_reason === "condition") return;
  if (definition.executionMode === "task" && definition.standIn === undefined) {
    tell({ event: "unknown_answers", position });
    return;
  }
  const standIn = await definition.standIn?.(parseConfig(definition, step));
  try {
    await executeStep({
      dataApi,
      claim: { pipeline_run: run.pipeline_run, claim_id: randomUUID() },
      step: standIn ? { ...step, config: standIn.config } : step,
      definition,
      condition,
      signal: new AbortController().signal,
      timings: new StepTimings(),
      columns: run.columns,
      remarks: new StepRemarks(),
    });
  } finally {
    standIn?.close();
  }
}
