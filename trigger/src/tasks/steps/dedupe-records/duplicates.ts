import type { BatchContext, PipelineRecord } from "../step";
import { DisjointSets } from "./disjoint-sets";
import { KeyIndex } from "./key-index";
import { chunkBytes, ChunkPlaces, LendingPlan, type Loan, Loans } from "./fill-missing";
import type { Comparison } from "./match-key";
import { isFilled, PresenceIndex } from "./filled-fields";
import { orderOfIds } from "./record-order";

export interface DedupeRecordsConfig {
  match_on: string[][];
  compare_as: Record<string, Comparison>;
  keep: "most_complete" | "first" | "last";
  merge: "none" | "fill_missing";
}

export interface DuplicateVerdict {
  duplicateOf: string;
  /** The lists of `match_on` by which the record equals the kept one, or, in a chain, its link in the chain. */
  matchedOn: string[][];
  direct: boolean;
}

/** What the first look at the batch leaves behind: a verdict per duplicate and, when merging, who lends to whom. */
export interface Duplicates {
  verdicts: ReadonlyMap<string, DuplicateVerdict>;
  loans: Loans | undefined;
}

/** The rows of the batch, without their data. */
interface Rows {
  ids: string[];
  /** Each row's place in the order of ids. */
  order: number[];
  /** One per list of `match_on`. */
  keys: KeyIndex[];
  presence: PresenceIndex;
  chunks: ChunkPlaces;
}

/**
 * Reads the batch once and keeps ids, key numbers and filled-field signatures, not records: 100,000 records take some
 * tens of megabytes. Merging reads it again for the values that are lent, as often as they fill the memory they may.
 */
export async function findDuplicates(
  context: BatchContext<DedupeRecordsConfig>,
  mostHeldBytes = 8_000_000,
): Promise<Duplicates> {
  const { rows, sets } = await readRows(context);
  const verdicts = new Map<string, DuplicateVerdict>();
  const plan = context.config.merge === "fill_missing" ? new LendingPlan(rows.ids.length, rows.chunks) : undefined;
  for (const members of sets.groups()) {
    const ranked = rank(members, rows, context.config.keep);
    const winner = ranked[0] ?? 0;
    for (const row of ranked.slice(1))
      verdicts.set(idOf(rows, row), verdictOf(row, winner, rows, context.config.match_on));
    if (plan !== undefined) planLending(ranked, rows, plan);
  }
  const loans = plan && new Loans(plan, rows.ids, context, mostHeldBytes);
  await loans?.begin();
  return { verdicts, loans };
}

async function readRows(context: BatchContext<DedupeRecordsConfig>): Promise<{ rows: Rows; sets: DisjointSets }> {
  const { match_on: matchOn, compare_as: compareAs, merge } = context.config;
  const comparisons = new Map(Object.entries(compareAs));
  const keys = matchOn.map(
    (fields) => new KeyIndex(fields.map((name) => ({ name, comparison: comparisons.get(name) ?? "text" }))),
  );
  const rows: Rows = { ids: [], order: [], keys, presence: new PresenceIndex(), chunks: new ChunkPlaces() };
  const sets = new DisjointSets();
  for await (const { records, passing } of context.readInput()) {
    context.signal.throwIfAborted();
    if (merge === "fill_missing") rows.chunks.add(rows.ids.length, chunkBytes(records, passing));
    for (const { id, data } of records) {
      const row = sets.add();
      rows.ids.push(id);
      rows.presence.add(data);
      for (const index of keys) {
        const equal = index.add(data);
        if (equal !== undefined) sets.join(equal, row);
      }
    }
  }
  rows.order = orderOfIds(rows.ids);
  return { rows, sets };
}

/** The record that stays first, then the others, best source of missing values first. */
function rank(members: readonly number[], rows: Rows, keep: DedupeRecordsConfig["keep"]): number[] {
  const byId = (a: number, b: number) => (rows.order[a] ?? 0) - (rows.order[b] ?? 0);
  const byCompleteness = (a: number, b: number) => rows.presence.count(b) - rows.presence.count(a) || byId(a, b);
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

function planLending(ranked: readonly number[], rows: Rows, plan: LendingPlan): void {
  const [winner = 0, ...losers] = ranked;
  const have = new Set(rows.presence.fields(winner));
  for (const loser of losers) {
    const lent = rows.presence.fields(loser).filter((field) => !have.has(field));
    if (lent.length === 0) continue;
    for (const field of lent) have.add(field);
    plan.add(loser, winner, lent);
  }
}

/**
 * The record's own field order stays; fields it did not have follow in alphabetical order, then where they came
 * from, then the rows that have more.
 */
export function fillRecord(record: PipelineRecord, loan: Loan | undefined): PipelineRecord {
  if (loan === undefined) return record;
  const { leftIn } = loan;
  const values = [...loan.values].sort((a, b) => (a.field < b.field ? -1 : 1));
  const entries = new Map(Object.entries(record.data));
  for (const { field, value } of values) entries.set(field, value);
  const before = record.data["_filled_from"];
  const earlier = isFilled(before) && typeof before === "object" && before !== null ? Object.entries(before) : [];
  if (values.length > 0) {
    const now = values.map(({ field, from }) => [field, from] as const);
    entries.set("_filled_from", Object.fromEntries([...earlier, ...now]));
  }
  if (leftIn.length > 0) entries.set("_left_in", leftIn);
  return { id: record.id, data: Object.fromEntries(entries) };
}

function idOf(rows: Rows, row: number): string {
  return rows.ids[row] ?? "";
}
