import { setImmediate as turnOfTheLoop } from "node:timers/promises";

import { logOfStep } from "../platform/log";
import type { AnyStepDefinition, StepContext, Warn } from "../tasks/steps/step";
import type { ConditionInput, InputChunk, RunningStep } from "../worker-api/answers";
import type { Claim, ClaimedStep } from "../worker-api/claim";
import type { DataApi, WrittenChunk } from "../worker-api/client";
import type { ChunkOutcome, PipelineRecord } from "../worker-api/records";
import { traceparentOf } from "../worker-api/trace";
import { ChunkBuffer, chunksAhead, chunksBehind, maxBytes } from "./chunk-buffer";
import { withChunkTimeout } from "./chunk-timeout";
import type { Condition, DividedChunk } from "./condition";
import { garbageCollector } from "./garbage-collection";
import { mergeInRowOrder } from "./row-order";
import type { StepTimings } from "./timings";
import { afterGrace } from "./write-grace";

/** One step of a claimed run, with everything that its chunks need. */
export interface StepWork {
  dataApi: DataApi;
  claim: Claim;
  step: ClaimedStep;
  definition: AnyStepDefinition;
  condition: Condition | undefined;
  signal: AbortSignal;
  timings: StepTimings;
}

/** What all chunks of a step share. */
export interface Preparation {
  config: unknown;
  state: unknown;
  /** Undefined unless the step has a condition on records. */
  conditionInput: ConditionInput | undefined;
}

/**
 * The input chunks with these indexes, in order. The next ones are read while the caller works on one, as far as `buffer`
 * has room; the caller releases each chunk. `arrived` is a chunk that need not be read.
 */
export async function* readChunks(
  work: StepWork,
  chunkIndexes: readonly number[],
  buffer: ChunkBuffer,
  arrived?: InputChunk,
): AsyncGenerator<InputChunk> {
  const { dataApi, step, signal } = work;
  const read = async (chunkIndex: number): Promise<InputChunk> => {
    buffer.reserve(chunkIndex);
    const isHere = arrived?.chunkIndex === chunkIndex && arrived.records;
    arrived = undefined;
    const records = isHere || (await dataApi.readChunk(step.step_result_id, chunkIndex, signal));
    buffer.measure(chunkIndex, records);
    garbageCollector.collectIfGrown();
    return { chunkIndex, records };
  };
  const reads: Promise<InputChunk>[] = [];
  let begun = 0;
  while (!buffer.isClosed) {
    signal.throwIfAborted();
    for (; reads.length <= chunksAhead && begun < chunkIndexes.length && !buffer.isFull; begun++) {
      const chunk = read(chunkIndexes[begun] as number);
      // The error surfaces where the chunk is awaited. If the caller stops before that, it must not crash the process.
      chunk.catch(() => undefined);
      reads.push(chunk);
    }
    const next = reads.shift();
    if (next !== undefined) {
      const chunk = await next;
      // A chunk that is already here arrives without a turn of the event loop. A step that only computes would then
      // hold up heartbeats, and with them the news of a cancellation, until it runs out of chunks.
      await turnOfTheLoop();
      signal.throwIfAborted();
      yield chunk;
    } else if (begun === chunkIndexes.length) return;
    else await buffer.released();
  }
}

/**
 * Processes and writes each chunk that is not written, as many at a time as the blueprint says, while the next ones are
 * read and the last ones written. A chunk's written output is its checkpoint, so a retry or a crash repeats at most the
 * chunks that were under way. When a chunk fails, no other is begun, and those under way are finished and written before
 * this rejects, so that the next attempt does not meet them.
 */
export async function processChunks(
  work: StepWork,
  preparation: Preparation,
  { chunk_count, written_chunks, next_chunk }: RunningStep,
  onWritten: () => void,
): Promise<void> {
  const { dataApi, claim, step, signal, timings } = work;
  const written = new Set(written_chunks);
  const pending = chunkIndexesOf(chunk_count).filter((chunkIndex) => !written.has(chunkIndex));
  const concurrency = Math.min(step.concurrency ?? 1, pending.length);
  const buffer = new ChunkBuffer(chunksAhead + concurrency + chunksBehind, maxBytes);
  const chunks = readChunks(work, pending, buffer, next_chunk ?? undefined);
  const failures: unknown[] = [];
  const fail = (error: unknown) => {
    failures.push(error);
    buffer.close();
  };

  // A processed chunk is written even if the run was cancelled meanwhile; SQL decides whether it counts.
  const writingSignal = afterGrace(signal);
  const write = async (chunk: WrittenChunk) => {
    try {
      await dataApi.writeChunk(step.step_result_id, claim.claim_id, chunk, writingSignal);
      onWritten();
      logOfStep(work).about({ chunk_index: chunk.chunkIndex }).debug("A chunk was written");
    } catch (error) {
      logFailure(work, chunk.chunkIndex, error);
      fail(error);
    } finally {
      buffer.release(chunk.chunkIndex);
    }
  };
  const writes = new Set<Promise<void>>();
  const writeBehind = async (chunk: WrittenChunk) => {
    while (writes.size >= chunksBehind) await Promise.race(writes);
    const writing = write(chunk).finally(() => writes.delete(writing));
    writes.add(writing);
  };

  const nextChunk = () => timings.reading(() => chunks.next());
  const processInTurn = async () => {
    try {
      for (let next = await nextChunk(); !next.done && failures.length === 0; next = await nextChunk()) {
        const chunk = await processChunk(work, preparation, next.value);
        buffer.measure(chunk.chunkIndex, chunk.outcome);
        await timings.writing(() => writeBehind(chunk));
      }
    } catch (error) {
      fail(error);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, processInTurn));
  await timings.writing(() => Promise.all(writes));
  if (failures.length > 0) throw failures[0];
}

/** Processes one chunk and leaves it to the caller to write it. */
export async function processChunk(work: StepWork, preparation: Preparation, chunk: InputChunk): Promise<WrittenChunk> {
  const { chunkIndex } = chunk;
  try {
    const outcome = await work.timings.processing(() => outcomeOf(work, preparation, chunk));
    return { chunkIndex, outcome };
  } catch (error) {
    logFailure(work, chunkIndex, error);
    throw error;
  }
}

/** When a run ends, all of its chunks fail; the log then names the end of the run instead. */
function logFailure(work: StepWork, chunkIndex: number, error: unknown): void {
  if (!work.signal.aborted) logOfStep(work).about({ chunk_index: chunkIndex }).warn("A chunk failed", { error });
}

function warnInLog(work: StepWork): Warn {
  return (code) => logOfStep(work).warn("A step warns", { code });
}

async function outcomeOf(
  work: StepWork,
  { config, state, conditionInput }: Preparation,
  { chunkIndex, records }: InputChunk,
): Promise<ChunkOutcome> {
  const { dataApi, claim, step, definition, signal } = work;
  const context: Omit<StepContext<unknown, unknown>, "signal"> = {
    config,
    state,
    columns: [],
    warn: warnInLog(work),
    reportColumns: () => undefined,
    pipelineRun: claim.pipeline_run,
    deliveryKey: step.delivery_key,
    chunkIndex,
    readSecret: (name) => dataApi.readSecret(step.step_result_id, name, signal),
    traceparent: () => traceparentOf(claim.pipeline_run),
  };
  const process = (chosen: PipelineRecord[]) =>
    withChunkTimeout(
      (chunkSignal) => definition.processChunk(chosen, { ...context, signal: chunkSignal }),
      signal,
      step.timeout_seconds,
    );
  const divided = divide(work, conditionInput, records);
  if (divided === undefined) return process(records);
  const { chosen, passing, rejected } = divided;
  const outcome = chosen.length > 0 ? await process(chosen) : { records: [], rejected: [], dropped: [] };
  return {
    records: mergeInRowOrder(records, outcome.records, passing),
    rejected: [...outcome.rejected, ...rejected],
    dropped: outcome.dropped,
  };
}

/** Undefined when the step has no condition on records, and so processes all of them. */
function divide(
  { condition }: StepWork,
  conditionInput: ConditionInput | undefined,
  records: PipelineRecord[],
): DividedChunk | undefined {
  return conditionInput && condition?.divide(records, conditionInput);
}

/** Lets the step see its whole input, as far as its condition chooses it, and returns the state that it makes of it. */
export async function prepareState(
  work: StepWork,
  { config, conditionInput }: Omit<Preparation, "state">,
  { chunk_count, next_chunk }: RunningStep,
): Promise<unknown> {
  const { definition, signal, timings } = work;
  let preparing = true;
  let arrived = next_chunk ?? undefined;
  const batch = {
    config,
    signal,
    warn: warnInLog(work),
    async *readInput(chunkIndexes: readonly number[] = chunkIndexesOf(chunk_count)) {
      const buffer = new ChunkBuffer(chunksAhead + 1, maxBytes);
      const chunks = readChunks(work, chunkIndexes, buffer, arrived);
      // Once chunks are processed, a read is part of the work on one of them.
      const nextChunk = () => (preparing ? timings.reading(() => chunks.next()) : chunks.next());
      for (let next = await nextChunk(); !next.done; next = await nextChunk()) {
        const { chunkIndex, records } = next.value;
        const { chosen, passing } = divide(work, conditionInput, records) ?? { chosen: records, passing: [] };
        yield { chunkIndex, records: chosen, passing };
        buffer.release(chunkIndex);
      }
    },
  };
  try {
    return await timings.preparing(async () => definition.prepareBatch?.(batch));
  } finally {
    preparing = false;
    arrived = undefined;
  }
}

function chunkIndexesOf(chunkCount: number): number[] {
  return Array.from({ length: chunkCount }, (_, chunkIndex) => chunkIndex);
}
