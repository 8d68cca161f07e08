import type { BatchContext } from "../step";
import type { DedupeRecordsConfig } from "./config";
import { DisjointSets } from "./disjoint-sets";
import { MissingValues } from "./fill-missing";
import { chunkBytes, ChunkMap, FillPlan } from "./fill-plan";
import { FilledFieldsIndex } from "./filled-fields";
import { KeyIndex } from "./key-index";
import { orderOfIds } from "./record-order";

export interface DuplicateVerdict {
  duplicateOf: string;
  /** The lists of `match_on` in which the record equals the kept one; in a chain, those in which it equals its link. */
  matchedOn: string[][];
  direct: boolean;
}

/** What the step knows after its look at the whole batch. */
export interface Duplicates {
  verdicts: ReadonlyMap<string, DuplicateVerdict>;
  /** Only with `merge: "fill_missing"`. */
  missingValues: MissingValues | undefined;
}

/** The rows of the batch, without their data. */
interface Rows {
  ids: string[];
  /** Each row's place in the order of ids. */
  order: number[];
  /** One index for each list of `match_on`. */
  keys: KeyIndex[];
  filled: FilledFieldsIndex;
  chunks: ChunkMap;
}

/**
 * Reads the batch once and keeps ids, key numbers and lists of filled fields instead of records: 100,000 records take some
 * tens of megabytes. Merging reads source chunks again for their values.
 */
export async function findDuplicates(
  context: BatchContext<DedupeRecordsConfig>,
  maxHeldBytes = 8_000_000,
): Promise<Duplicates> {
  const { rows, sets } = await readRows(context);
  const { match_on: matchOn, keep, merge } = context.config;
  const verdicts = new Map<string, DuplicateVerdict>();
  const plan = merge === "fill_missing" ? new FillPlan(rows.ids.length, rows.chunks) : undefined;
  for (const members of sets.groups()) {
    const [winner = 0, ...losers] = rank(members, rows, keep);
    for (const row of losers) verdicts.set(rows.ids[row] ?? "", verdictOf(row, winner, rows, matchOn));
    if (plan !== undefined) planFilling(winner, losers, rows, plan);
  }
  const missingValues = plan && new MissingValues(plan, rows.ids, context, maxHeldBytes);
  await missingValues?.begin();
  return { verdicts, missingValues };
}

async function readRows(context: BatchContext<DedupeRecordsConfig>): Promise<{ rows: Rows; sets: DisjointSets }> {
  const { match_on: matchOn, compare_as: compareAs, merge } = context.config;
  const comparisons = new Map(Object.entries(compareAs));
  const keys = matchOn.map(
    (fields) => new KeyIndex(fields.map((name) => ({ name, comparison: comparisons.get(name) ?? "text" }))),
  );
  const rows: Rows = { ids: [], order: [], keys, filled: new FilledFieldsIndex(), chunks: new ChunkMap() };
  const sets = new DisjointSets();
  for await (const { records, passing } of context.readInput()) {
    context.signal.throwIfAborted();
    if (merge === "fill_missing") rows.chunks.add(rows.ids.length, chunkBytes(records, passing));
    for (const { id, data } of records) {
      const row = sets.add();
      rows.ids.push(id);
      rows.filled.add(data);
      for (const index of keys) {
        const equal = index.add(data);
        if (equal !== undefined) sets.join(equal, row);
      }
    }
  }
  rows.order = orderOfIds(rows.ids);
  return { rows, sets };
}

/** The record to keep, then its duplicates, those with the most filled fields first. */
function rank(members: readonly number[], rows: Rows, keep: DedupeRecordsConfig["keep"]): number[] {
  const byId = (a: number, b: number) => (rows.order[a] ?? 0) - (rows.order[b] ?? 0);
  const byCompleteness = (a: number, b: number) => rows.filled.count(b) - rows.filled.count(a) || byId(a, b);
  const ranked = [...members].sort(byCompleteness);
  if (keep === "most_complete") return ranked;
  const inOrder = [...members].sort(byId);
  const winner = (keep === "first" ? inOrder[0] : inOrder.at(-1)) ?? 0;
  return [winner, ...ranked.filter((row) => row !== winner)];
}

function verdictOf(row: number, winner: number, { ids, keys }: Rows, matchOn: string[][]): DuplicateVerdict {
  const listsWhere = (holds: (index: KeyIndex) => boolean) =>
    matchOn.filter((_, list) => holds(keys[list] as KeyIndex));
  const duplicateOf = ids[winner] ?? "";
  const direct = listsWhere((index) => index.areEqual(row, winner));
  if (direct.length > 0) return { duplicateOf, matchedOn: direct, direct: true };
  return { duplicateOf, matchedOn: listsWhere((index) => index.isShared(row)), direct: false };
}

function planFilling(winner: number, losers: readonly number[], { filled }: Rows, plan: FillPlan): void {
  const present = new Set(filled.fields(winner));
  for (const loser of losers) {
    const missing = filled.fields(loser).filter((field) => !present.has(field));
    if (missing.length === 0) continue;
    for (const field of missing) present.add(field);
    plan.add(loser, winner, missing);
  }
}
