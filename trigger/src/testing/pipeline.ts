import { z } from "zod";

import { type PipelineParts, runPipeline } from "../pipeline/run";
import { type AnyStepDefinition, defineStep, type PipelineRecord, type StepDefinition } from "../tasks/steps/step";
import type { DataApiServer } from "./data-api-server";

/** An inline step without config that keeps every record, except for the overrides. */
export function stepOf(slug: string, overrides: Partial<StepDefinition<unknown, unknown>> = {}): AnyStepDefinition {
  return defineStep<unknown, unknown, unknown>({
    slug,
    version: "1.2.0",
    title: slug,
    description: `The ${slug} step of a test.`,
    configSchema: z.object({}),
    example: { config: {}, records: [] },
    processChunk: (records) => ({ records, rejected: [], dropped: [] }),
    ...overrides,
  });
}

/** A step that appends its slug to the `trail` of each record. */
export function tracingStep(slug: string): AnyStepDefinition {
  return stepOf(slug, {
    processChunk: (records) => ({
      records: records.map(({ id, data }) => ({
        id,
        data: { trail: [...((data.trail as string[] | undefined) ?? []), slug] },
      })),
      rejected: [],
      dropped: [],
    }),
  });
}

/** `chunks` chunks of `size` records with the ids that ingestion would give. */
export function chunksOf(chunks: number, size = 2): PipelineRecord[][] {
  return Array.from({ length: chunks }, (_, chunk) =>
    Array.from({ length: size }, (_, row) => ({ id: String(chunk * size + row + 1), data: {} })),
  );
}

export function runOn(
  server: DataApiServer,
  pipelineRunId: string,
  steps: AnyStepDefinition[],
  {
    triggerRunId = "run_1",
    signal = new AbortController().signal,
    ...parts
  }: Partial<PipelineParts> & { triggerRunId?: string; signal?: AbortSignal } = {},
) {
  return runPipeline(pipelineRunId, triggerRunId, signal, {
    dataApi: server.client(),
    findStep: (slug) => steps.find((step) => step.slug === slug),
    runStepTask: () => Promise.reject(new Error("This test has no step with a task of its own.")),
    ...parts,
  });
}
