import type {
  BatchContext,
  ChunkOutcome,
  ColumnProfile,
  ColumnUse,
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
    columns: [],
    warn: () => undefined,
    reportColumns: () => undefined,
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

export interface Warning {
  code: string;
  message: string;
  details: Record<string, unknown>;
}

/** What a step makes of a batch, with its warnings and its report on the columns. */
export interface StepRun extends ChunkOutcome {
  warnings: Warning[];
  columns: readonly ColumnUse[];
}

/** Takes a batch through a step as the pipeline does: prepares once, then processes a chunk at a time. */
export async function runStep<Config, State>(
  step: StepDefinition<Config, State>,
  config: unknown,
  chunks: readonly PipelineRecord[][],
  rest: Partial<StepContext<Config, State>> = {},
): Promise<StepRun> {
  const parsed = step.configSchema.parse(config);
  const all: StepRun = { records: [], rejected: [], dropped: [], warnings: [], columns: [] };
  const warn = (code: string, message: string, details: Record<string, unknown> = {}) => {
    if (!all.warnings.some((said) => said.code === code && said.message === message))
      all.warnings.push({ code, message, details });
  };
  const batch: BatchContext<Config> = {
    config: parsed,
    signal: new AbortController().signal,
    warn,
    async *readInput(chunkIndexes = [...chunks.keys()]) {
      for (const chunkIndex of chunkIndexes)
        yield await Promise.resolve({ chunkIndex, records: chunks[chunkIndex] ?? [], passing: [] });
    },
  };
  const state = (await step.prepareBatch?.(batch)) as State;
  const reportColumns = (uses: readonly ColumnUse[]) => {
    all.columns = uses;
  };
  for (const [chunkIndex, records] of chunks.entries()) {
    const context = stepContext(parsed, state, { warn, reportColumns, ...rest, chunkIndex });
    const outcome = await step.processChunk(records, context);
    all.records.push(...outcome.records);
    all.rejected.push(...outcome.rejected);
    all.dropped.push(...outcome.dropped);
  }
  return all;
}

/** The columns of these rows as ingestion counts them. */
export function columnsOf(rows: readonly Record<string, unknown>[]): ColumnProfile[] {
  const columns = new Map<string, ColumnProfile>();
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      const column = columns.get(name) ?? { name, filled: 0, capitals: 0, lower_case: 0, numeric: 0 };
      columns.set(name, column);
      const text = typeof value === "string" || typeof value === "number" ? String(value).trim() : "";
      if (text === "") continue;
      const [upper, lower] = [text.toUpperCase(), text.toLowerCase()];
      column.filled += 1;
      column.capitals += Number(text === upper && upper !== lower);
      column.lower_case += Number(text === lower && upper !== lower);
      column.numeric += Number(Number.isFinite(Number(text)));
    }
  }
  return [...columns.values()];
}
