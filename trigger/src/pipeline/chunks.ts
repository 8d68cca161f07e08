import type { DataApi } from "../data-api";
import type { Claim, ClaimedStep } from "./claim";
import type { AnyStepDefinition, PipelineRecord } from "./step";

export interface InputChunk {
  chunkIndex: number;
  records: PipelineRecord[];
}

/** One step of a claimed run with everything that its chunks need. */
export interface StepWork {
  dataApi: DataApi;
  claim: Claim;
  step: ClaimedStep;
  definition: AnyStepDefinition;
  signal: AbortSignal;
}

/**
 * The step's input chunks in the order of `chunkIndexes`. The next chunk is fetched while the caller works
 * on the current one; never more than one ahead, so a run holds two chunks in memory, whatever its size.
 */
export async function* readChunks(work: StepWork, chunkIndexes: readonly number[]): AsyncGenerator<InputChunk> {
  const read = (chunkIndex: number) => {
    const records = work.dataApi.readChunk(work.step.step_result_id, chunkIndex);
    // Whoever awaits it sees the error; a caller that stopped before must not crash the process with it.
    records.catch(() => undefined);
    return { chunkIndex, records };
  };
  let next: ReturnType<typeof read> | undefined;
  for (const [position, chunkIndex] of chunkIndexes.entries()) {
    work.signal.throwIfAborted();
    const current = next ?? read(chunkIndex);
    const records = await current.records;
    const following = chunkIndexes[position + 1];
    next = following === undefined ? undefined : read(following);
    yield { chunkIndex, records };
  }
}

/**
 * Processes and writes each chunk that is not in `writtenChunks`: a chunk's output is its checkpoint, so a
 * retry or a crash repeats at most the chunk that was under way.
 */
export async function processChunks(
  work: StepWork,
  config: unknown,
  state: unknown,
  chunkCount: number,
  writtenChunks: readonly number[],
  onWritten: () => void,
): Promise<void> {
  const { dataApi, claim, step, definition, signal } = work;
  const written = new Set(writtenChunks);
  const pending = chunkIndexesOf(chunkCount).filter((chunkIndex) => !written.has(chunkIndex));
  for await (const { chunkIndex, records } of readChunks(work, pending)) {
    const outcome = await definition.processChunk(records, {
      config,
      state,
      signal,
      pipelineRun: claim.pipeline_run,
      stepResultId: step.step_result_id,
      chunkIndex,
      readSecret: (name) => dataApi.readSecret(step.step_result_id, name),
    });
    // A step that finished its chunk is written even if the run was cancelled meanwhile; SQL decides what counts.
    await dataApi.writeChunk(step.step_result_id, claim.claim_id, chunkIndex, outcome);
    onWritten();
  }
}

/** The step's view of its whole input, before its first chunk. */
export async function prepareState(work: StepWork, config: unknown, chunkCount: number): Promise<unknown> {
  const { definition, signal } = work;
  return definition.prepareBatch?.({
    config,
    signal,
    readInput: () => readChunks(work, chunkIndexesOf(chunkCount)),
  });
}

function chunkIndexesOf(chunkCount: number): number[] {
  return Array.from({ length: chunkCount }, (_, chunkIndex) => chunkIndex);
}
