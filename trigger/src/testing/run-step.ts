import type {
  BatchContext,
  ChunkOutcome,
  PipelineRecord,
  PipelineRun,
  StepContext,
  StepDefinition,
} from "../tasks/steps/step";
import { traceparentOf } from "../worker-api/trace";

/** A pipeline run as a step sees it. */
export const pipelineRun: PipelineRun = {
  id: "0d6c2f0e-6f3c-4f3e-9a51-1f1f1d6b8a01",
  org_id: "0d6c2f0e-6f3c-4f3e-9a51-1f1f1d6b8a02",
  company_id: "0d6c2f0e-6f3c-4f3e-9a51-1f1f1d6b8a03",
  submission_id: "0d6c2f0e-6f3c-4f3e-9a51-1f1f1d6b8a04",
  run_number: 1,
  blueprint_id: "0d6c2f0e-6f3c-4f3e-9a51-1f1f1d6b8a05",
  blueprint_version: 1,
  chunk_count: 1,
  record_count: 1,
  trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
  trace_sampled: true,
  request_id: "request-of-the-run",
  created_at: "2026-01-02T03:04:05.678Z",
};

/** A step's context, with defaults for what most tests do not look at. */
export function stepContext<Config, State>(
  config: Config,
  state: State,
  rest: Partial<StepContext<Config, State>> = {},
): StepContext<Config, State> {
  return {
    config,
    state,
    signal: new AbortController().signal,
    pipelineRun,
    deliveryKey: "0d6c2f0e6f3c4f3e9a511f1f1d6b8a06",
    chunkIndex: 0,
    readSecret: (name) => Promise.reject(new Error(`no secret ${name}`)),
    traceparent: () => traceparentOf(rest.pipelineRun ?? pipelineRun),
    ...rest,
  };
}

/** Records with the ids 1, 2, 3 … */
export function asRecords(rows: readonly Record<string, unknown>[]): PipelineRecord[] {
  return rows.map((data, index) => ({ id: String(index + 1), data }));
}

export function inChunks(records: readonly PipelineRecord[], size = 1_000): PipelineRecord[][] {
  const chunks: PipelineRecord[][] = [];
  for (let at = 0; at < records.length; at += size) chunks.push(records.slice(at, at + size));
  return chunks;
}

/** Takes a batch through a step as the pipeline does: prepares once, then processes a chunk at a time. */
export async function runStep<Config, State>(
  step: StepDefinition<Config, State>,
  config: unknown,
  chunks: readonly PipelineRecord[][],
  rest: Partial<StepContext<Config, State>> = {},
): Promise<ChunkOutcome> {
  const parsed = step.configSchema.parse(config);
  const batch: BatchContext<Config> = {
    config: parsed,
    signal: new AbortController().signal,
    async *readInput(chunkIndexes = [...chunks.keys()]) {
      for (const chunkIndex of chunkIndexes)
        yield await Promise.resolve({ chunkIndex, records: chunks[chunkIndex] ?? [], passing: [] });
    },
  };
  const state = (await step.prepareBatch?.(batch)) as State;
  const all: ChunkOutcome = { records: [], rejected: [], dropped: [] };
  for (const [chunkIndex, records] of chunks.entries()) {
    const outcome = await step.processChunk(records, stepContext(parsed, state, { ...rest, chunkIndex }));
    all.records.push(...outcome.records);
    all.rejected.push(...outcome.rejected);
    all.dropped.push(...outcome.dropped);
  }
  return all;
}
