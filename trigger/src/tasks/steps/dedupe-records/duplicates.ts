import type { BatchContext } from "../step";
import type { DedupeRecordsConfig } from "./config";
import { DisjointSets } from "./disjoint-sets";
import { MissingValues } from "./fill-missing";
import { chunkBytes, ChunkMap, FillPlan } from "./fill-plan";
import { FilledFieldsIndex } from "./filled-fields";
import { KeyIndex, type LargeGroup } from "./key-index";
import { warnOfLargeGroups } from "./large-groups";
import { equalFields, type MatchRule } from "./match-rule";
import { orderOfIds } from "./record-order";
import { ValueHashes } from "./value-hashes";

export interface DuplicateVerdict {
  duplicateOf: string;
  /** The rules of `match_on` by which the record matches the kept one; in a chain, those by which it matches its link. */
  matchedOn: string[][];
  direct: boolean;
  /** The kept record and all its duplicates. */
  groupSize: number;
  /** Fields that both records have with different values. */
  differsIn: string[];
}

/** What the step knows after its look at the whole batch. */
export interface Duplicates {
  verdicts: ReadonlyMap<string, DuplicateVerdict>;
  /** Only with `merge: "fill_missing"`. */
  missingValues: MissingValues | undefined;
}

/** In the details of a dropped record. */
const maxDifferingFields = 20;

/** The rows of the batch, without their data. */
interface Rows {
  ids: string[];
  /** Each row's place in the order of ids. */
  order: number[];
  /** One index for each rule of `match_on`. */
  keys: KeyIndex[];
  filled: FilledFieldsIndex;
  hashes: ValueHashes;
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
  const rows = await readRows(context);
  const sets = matchRows(rows, context);
  const { match_on: matchOn, keep, merge } = context.config;
  const verdicts = new Map<string, DuplicateVerdict>();
  const verdictOf = verdictsOn(rows, matchOn);
  const plan = merge === "fill_missing" ? new FillPlan(rows.ids.length, rows.chunks) : undefined;
  for (const members of sets.groups()) {
    const [winner = 0, ...losers] = rank(members, rows, keep);
    for (const row of losers) verdicts.set(rows.ids[row] ?? "", verdictOf(row, winner, members.length));
    if (plan !== undefined) planFilling(winner, losers, rows, plan);
  }
  const missingValues = plan && new MissingValues(plan, rows.ids, context, maxHeldBytes);
  await missingValues?.begin();
  return { verdicts, missingValues };
}

async function readRows(context: BatchContext<DedupeRecordsConfig>): Promise<Rows> {
  const { match_on: matchOn, compare_as: compareAs, merge } = context.config;
  const comparisons = new Map(Object.entries(compareAs));
  const keys = matchOn.map((rule) => new KeyIndex(rule, comparisons));
  const filled = new FilledFieldsIndex();
  const rows: Rows = { ids: [], order: [], keys, filled, hashes: new ValueHashes(), chunks: new ChunkMap() };
  for await (const { records, passing } of context.readInput()) {
    context.signal.throwIfAborted();
    if (merge === "fill_missing") rows.chunks.add(rows.ids.length, chunkBytes(records, passing));
    for (const { id, data } of records) {
      rows.hashes.add(data, filled.add(data));
      rows.ids.push(id);
      for (const index of keys) index.add(data);
    }
  }
  rows.order = orderOfIds(rows.ids);
  return rows;
}

/** The sets of rows that match. A value that too many rows share matches none. */
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

/** The verdicts share equal lists, so that a large batch needs little memory for them. */
function verdictsOn(
  { ids, keys, filled, hashes }: Rows,
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
    const differing = hashes.differing(row, filled.fields(row), winner, filled.fields(winner));
    return {
      duplicateOf: ids[winner] ?? "",
      matchedOn: direct.length > 0 ? direct : rulesWhere((index) => index.isShared(row)),
      direct: direct.length > 0,
      groupSize,
      differsIn: shared(differing.slice(0, maxDifferingFields)),
    };
  };
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
