import { setImmediate as turnOfTheLoop } from "node:timers/promises";

import type { DataApi, InputChunk, RunningStep, WrittenChunk } from "../data-api";
import { afterGrace } from "./abort";
import { garbage } from "./garbage";
import { ChunkRoom, chunksAhead, chunksBehind, mostBytes } from "./chunk-room";
import type { Claim, ClaimedStep } from "./claim";
import type { Condition, ConditionInput } from "./condition";
import { logOfStep } from "./log";
import { putInPlace } from "./place";
import type { AnyStepDefinition, ChunkOutcome, PipelineRecord, StepContext, Warn } from "./step";
import { withinTimeout } from "./timeout";
import type { StepTimings } from "./timings";

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
 * The step's input chunks in the order of `chunkIndexes`, the next ones fetched while the caller works on one, as far as
 * `room` has place. What is fetched is in the room, and the caller releases it. `arrived` is here already.
 */
export async function* readChunks(
  work: StepWork,
  chunkIndexes: readonly number[],
  room: ChunkRoom,
  arrived?: InputChunk,
): AsyncGenerator<InputChunk> {
  const { dataApi, step, signal } = work;
  const read = async (chunkIndex: number): Promise<InputChunk> => {
    room.take(chunkIndex);
    const isHere = arrived?.chunkIndex === chunkIndex && arrived.records;
    arrived = undefined;
    const records = isHere || (await dataApi.readChunk(step.step_result_id, chunkIndex, signal));
    room.weigh(chunkIndex, records);
    garbage.collectIfGrown();
    return { chunkIndex, records };
  };
  const reads: Promise<InputChunk>[] = [];
  let begun = 0;
  while (!room.isClosed) {
    signal.throwIfAborted();
    for (; reads.length <= chunksAhead && begun < chunkIndexes.length && !room.isFull; begun++) {
      const chunk = read(chunkIndexes[begun] as number);
      // Whoever awaits it sees the error; a caller that stopped before must not crash the process with it.
      chunk.catch(() => undefined);
      reads.push(chunk);
    }
    const next = reads.shift();
    if (next !== undefined) {
      const chunk = await next;
      // What is here already is handed over without a turn of the event loop, and a step that computes would let no
      // heartbeat through, and hear of no cancellation, for as many chunks as are at hand.
      await turnOfTheLoop();
      signal.throwIfAborted();
      yield chunk;
    } else if (begun === chunkIndexes.length) return;
    else await room.released();
  }
}

/**
 * Processes and writes each chunk that is not written, as many at a time as the blueprint says, while the next are read
 * and the last are written. A chunk's output is its checkpoint, and counts when its writing is acknowledged: a retry or a
 * crash repeats at most the chunks that were under way. When one fails no other is begun, and those at hand are finished
 * and written first, so that the next attempt never meets them.
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
  const atOnce = Math.min(step.concurrency ?? 1, pending.length);
  const room = new ChunkRoom(chunksAhead + atOnce + chunksBehind, mostBytes);
  const chunks = readChunks(work, pending, room, next_chunk ?? undefined);
  const failures: unknown[] = [];
  const fail = (error: unknown) => {
    failures.push(error);
    room.close();
  };

  // A step that finished its chunk is written even if the run was cancelled meanwhile; SQL decides what counts.
  const writingSignal = afterGrace(signal);
  const write = async (chunkIndex: number, outcome: ChunkOutcome) => {
    try {
      await dataApi.writeChunk(step.step_result_id, claim.claim_id, chunkIndex, outcome, writingSignal);
      onWritten();
      logOfStep(work).about({ chunk_index: chunkIndex }).debug("A chunk was written");
    } catch (error) {
      tellOfFailure(work, chunkIndex, error);
      fail(error);
    } finally {
      room.release(chunkIndex);
    }
  };
  const writes = new Set<Promise<void>>();
  const writeBehind = async (chunkIndex: number, outcome: ChunkOutcome) => {
    while (writes.size >= chunksBehind) await Promise.race(writes);
    const writing = write(chunkIndex, outcome).finally(() => writes.delete(writing));
    writes.add(writing);
  };

  const nextChunk = () => timings.reading(() => chunks.next());
  const processInTurn = async () => {
    try {
      for (let next = await nextChunk(); !next.done && failures.length === 0; next = await nextChunk()) {
        const chunk = next.value;
        const outcome = await timings.processing(() => processChunk(work, preparation, chunk));
        room.weigh(chunk.chunkIndex, outcome);
        await timings.writing(() => writeBehind(chunk.chunkIndex, outcome));
      }
    } catch (error) {
      fail(error);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, processInTurn));
  await timings.writing(() => Promise.all(writes));
  if (failures.length > 0) throw failures[0];
}

/** What the step makes of the only chunk that is not written. The caller writes it, with what else there is to say. */
export async function processLastChunk(
  work: StepWork,
  preparation: Preparation,
  chunk: InputChunk,
): Promise<WrittenChunk> {
  const outcome = await work.timings.processing(() => processChunk(work, preparation, chunk));
  return { chunkIndex: chunk.chunkIndex, outcome };
}

async function processChunk(work: StepWork, preparation: Preparation, chunk: InputChunk): Promise<ChunkOutcome> {
  try {
    return await outcomeOf(work, preparation, chunk);
  } catch (error) {
    tellOfFailure(work, chunk.chunkIndex, error);
    throw error;
  }
}

/** Of an aborted run each chunk at hand fails; what ended it is told by whoever notices. */
function tellOfFailure(work: StepWork, chunkIndex: number, error: unknown): void {
  if (!work.signal.aborted) logOfStep(work).about({ chunk_index: chunkIndex }).warn("A chunk failed", { error });
}

function warnInLog(work: StepWork): Warn {
  return (code) => logOfStep(work).warn("A step warns of what people should check", { code });
}

/** What the step makes of the records that its condition chooses; the others keep their place. */
async function outcomeOf(
  work: StepWork,
  { config, state, conditionInput }: Preparation,
  { chunkIndex, records }: InputChunk,
): Promise<ChunkOutcome> {
  const { dataApi, claim, step, definition, condition, signal } = work;
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
  { chunk_count, next_chunk }: RunningStep,
): Promise<unknown> {
  const { definition, condition, signal, timings } = work;
  const choose = (records: PipelineRecord[]) =>
    condition === undefined || conditionInput === undefined
      ? { chosen: records, passing: [] }
      : condition.divide(records, conditionInput);
  let preparing = true;
  let arrived = next_chunk ?? undefined;
  const batch = {
    config,
    signal,
    warn: warnInLog(work),
    async *readInput(chunkIndexes: readonly number[] = chunkIndexesOf(chunk_count)) {
      const room = new ChunkRoom(chunksAhead + 1, mostBytes);
      const chunks = readChunks(work, chunkIndexes, room, arrived);
      // Later it is one of the calls that the step's chunks make.
      const nextChunk = () => (preparing ? timings.reading(() => chunks.next()) : chunks.next());
      for (let next = await nextChunk(); !next.done; next = await nextChunk()) {
        const { chunkIndex, records } = next.value;
        const { chosen, passing } = choose(records);
        yield { chunkIndex, records: chosen, passing };
        room.release(chunkIndex);
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
