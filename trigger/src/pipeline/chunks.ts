import type { DataApi } from "../data-api";
import type { Claim, ClaimedStep } from "./claim";
import type { Condition, ConditionInput } from "./condition";
import { putInPlace } from "./place";
import type { AnyStepDefinition, ChunkOutcome, PipelineRecord, StepContext } from "./step";
import { withinTimeout } from "./timeout";
import type { StepTimings } from "./timings";

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
  /** Asked of each record, when it asks of records. */
  condition: Condition | undefined;
  signal: AbortSignal;
  timings: StepTimings;
}

/** What a step brings to each of its chunks. */
export interface Preparation {
  config: unknown;
  state: unknown;
  /** What its condition may know; undefined when it is not asked of records. */
  conditionInput: ConditionInput | undefined;
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
 * Processes and writes each chunk that is not in `writtenChunks`, as many at a time as the blueprint says: a chunk's
 * output is its checkpoint, so a retry or a crash repeats at most the chunks that were under way. When one fails,
 * the others at hand are finished first, so that the next attempt never meets them.
 */
export async function processChunks(
  work: StepWork,
  preparation: Preparation,
  chunkCount: number,
  writtenChunks: readonly number[],
  onWritten: () => void,
): Promise<void> {
  const { dataApi, claim, step, timings } = work;
  const written = new Set(writtenChunks);
  const pending = chunkIndexesOf(chunkCount).filter((chunkIndex) => !written.has(chunkIndex));
  const chunks = readChunks(work, pending);
  const failures: unknown[] = [];
  const nextChunk = () => timings.reading(() => chunks.next());
  const processInTurn = async () => {
    try {
      for (let next = await nextChunk(); !next.done && failures.length === 0; next = await nextChunk()) {
        const chunk = next.value;
        const outcome = await timings.processing(() => processChunk(work, preparation, chunk));
        // A step that finished its chunk is written even if the run was cancelled meanwhile; SQL decides what counts.
        await timings.writing(() => dataApi.writeChunk(step.step_result_id, claim.claim_id, chunk.chunkIndex, outcome));
        onWritten();
      }
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(Array.from({ length: Math.min(step.concurrency ?? 1, pending.length) }, processInTurn));
  if (failures.length > 0) throw failures[0];
}

/** What the step makes of the records that its condition chooses; the others keep their place. */
async function processChunk(
  work: StepWork,
  { config, state, conditionInput }: Preparation,
  { chunkIndex, records }: InputChunk,
): Promise<ChunkOutcome> {
  const { dataApi, claim, step, definition, condition, signal } = work;
  const context: Omit<StepContext<unknown, unknown>, "signal"> = {
    config,
    state,
    pipelineRun: claim.pipeline_run,
    deliveryKey: step.delivery_key,
    chunkIndex,
    readSecret: (name) => dataApi.readSecret(step.step_result_id, name),
  };
  const process = (chosen: PipelineRecord[]) =>
    withinTimeout(
      (chunkSignal) => definition.processChunk(chosen, { ...context, signal: chunkSignal }),
      signal,
      step.timeout_seconds,
    );
  if (condition === undefined || conditionInput === undefined) return process(records);
  const { chosen, passing, rejected } = condition.divide(records, conditionInput);
  const outcome = chosen.length > 0 ? await process(chosen) : { records: [], rejected: [], dropped: [] };
  return {
    records: putInPlace(records, outcome.records, passing),
    rejected: [...outcome.rejected, ...rejected],
    dropped: outcome.dropped,
  };
}

/** The step's view of its whole input, before its first chunk: of the records that its condition chooses. */
export async function prepareState(
  work: StepWork,
  { config, conditionInput }: Omit<Preparation, "state">,
  chunkCount: number,
): Promise<unknown> {
  const { definition, condition, signal, timings } = work;
  const choose = (records: PipelineRecord[]) =>
    condition === undefined || conditionInput === undefined
      ? records
      : condition.divide(records, conditionInput).chosen;
  const batch = {
    config,
    signal,
    async *readInput() {
      const chunks = readChunks(work, chunkIndexesOf(chunkCount));
      const nextChunk = () => timings.reading(() => chunks.next());
      for (let next = await nextChunk(); !next.done; next = await nextChunk()) {
        const { chunkIndex, records } = next.value;
        yield { chunkIndex, records: choose(records) };
      }
    },
  };
  return timings.preparing(async () => definition.prepareBatch?.(batch));
}

function chunkIndexesOf(chunkCount: number): number[] {
  return Array.from({ length: chunkCount }, (_, chunkIndex) => chunkIndex);
}
