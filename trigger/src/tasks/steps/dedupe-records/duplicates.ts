import type { BatchContext, PipelineRecord } from "../../../pipeline/step";
import { DisjointSets } from "./disjoint-sets";
import { KeyIndex, type LargeGroup } from "./key-index";
import { warnOfLargeGroups } from "./large-groups";
import { chunkBytes, ChunkPlaces, LendingPlan, type Loan, Loans } from "./loans";
import type { Comparison } from "./match-key";
import { equalFields, type MatchRule } from "./match-rule";
import { isFilled, PresenceIndex } from "./presence";
import { orderOfIds } from "./record-order";
import { ValueHashes } from "./value-hashes";

export interface DedupeRecordsConfig {
  match_on: MatchRule[];
  compare_as: Record<string, Comparison>;
  keep: "most_complete" | "first" | "last";
  merge: "none" | "fill_missing";
  max_group: number;
}

export interface DuplicateVerdict {
  duplicateOf: string;
  /** The lists of `match_on` by which the record equals the kept one, or, in a chain, its link in the chain. */
  matchedOn: string[][];
  direct: boolean;
  /** The kept record and all that duplicate it. */
  groupSize: number;
  /** Fields that both records have and that are not the same. */
  differsIn: string[];
}

/** What the first look at the batch leaves behind: a verdict per duplicate and, when merging, who lends to whom. */
export interface Duplicates {
  verdicts: ReadonlyMap<string, DuplicateVerdict>;
  loans: Loans | undefined;
}

/** In the details of a dropped record. */
const mostDifferingFields = 20;

/** The rows of the batch, without their data. */
interface Rows {
  ids: string[];
  /** Each row's place in the order of ids. */
  order: number[];
  /** One per list of `match_on`. */
  keys: KeyIndex[];
  presence: PresenceIndex;
  hashes: ValueHashes;
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
  const rows = await readRows(context);
  const sets = matchRows(rows, context);
  const verdicts = new Map<string, DuplicateVerdict>();
  const toVerdict = verdictsOf(rows, context.config.match_on);
  const plan = context.config.merge === "fill_missing" ? new LendingPlan(rows.ids.length, rows.chunks) : undefined;
  for (const members of sets.groups()) {
    const ranked = rank(members, rows, context.config.keep);
    const winner = ranked[0] ?? 0;
    for (const row of ranked.slice(1)) verdicts.set(idOf(rows, row), toVerdict(row, winner, ranked.length));
    if (plan !== undefined) planLending(ranked, rows, plan);
  }
  const loans = plan && new Loans(plan, rows.ids, context, mostHeldBytes);
  await loans?.begin();
  return { verdicts, loans };
}

async function readRows(context: BatchContext<DedupeRecordsConfig>): Promise<Rows> {
  const { match_on: matchOn, compare_as: compareAs, merge } = context.config;
  const comparisons = new Map(Object.entries(compareAs));
  const rows: Rows = {
    ids: [],
    order: [],
    keys: matchOn.map((rule) => new KeyIndex(rule, comparisons)),
    presence: new PresenceIndex(),
    hashes: new ValueHashes(),
    chunks: new ChunkPlaces(),
  };
  for await (const { records, passing } of context.readInput()) {
    context.signal.throwIfAborted();
    if (merge === "fill_missing") rows.chunks.add(rows.ids.length, chunkBytes(records, passing));
    for (const { id, data } of records) {
      rows.hashes.add(data, rows.presence.add(data));
      rows.ids.push(id);
      for (const index of rows.keys) index.add(data);
    }
  }
  rows.order = orderOfIds(rows.ids);
  return rows;
}

/** The rows that match, in sets, values that too many share left out. */
function matchRows(rows: Rows, { config, warn }: BatchContext<DedupeRecordsConfig>): DisjointSets {
  const sets = new DisjointSets(rows.ids.length);
  const large: LargeGroup[] = [];
  for (const index of rows.keys) {
    large.push(...index.settle(config.max_group));
    for (const [first, row] of index.matches()) sets.join(first, row);
  }
  if (large.length > 0) warnOfLargeGroups(large, rows.ids, config.max_group, warn);
  return sets;
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

/** Many duplicates have the same to say: equal lists are one list, so that a large batch needs little for them. */
function verdictsOf(
  { ids, keys, presence, hashes }: Rows,
  matchOn: readonly MatchRule[],
): (row: number, winner: number, groupSize: number) => DuplicateVerdict {
  const lists = new Map<string, unknown>();
  const shared = <List>(list: List): List => {
    const key = JSON.stringify(list);
    if (!lists.has(key)) lists.set(key, list);
    return lists.get(key) as List;
  };
  const rulesWhere = (holds: (index: KeyIndex) => boolean) =>
    shared(matchOn.filter((_, rule) => holds(keys[rule] as KeyIndex)).map(equalFields));
  return (row, winner, groupSize) => {
    const direct = rulesWhere((index) => index.areEqual(row, winner));
    const differing = hashes.differing(row, presence.fields(row), winner, presence.fields(winner));
    return {
      duplicateOf: ids[winner] ?? "",
      matchedOn: direct.length > 0 ? direct : rulesWhere((index) => index.isShared(row)),
      direct: direct.length > 0,
      groupSize,
      differsIn: shared(differing.slice(0, mostDifferingFields)),
    };
  };
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
