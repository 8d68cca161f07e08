import type { ColumnUse, PipelineRecord, StepContext } from "../step";
import type { HeaderPlan } from "./header-plan";
import type { CompanyNormalizer } from "./normalizer";

const MOST_COLUMNS = 2_000;
/** A warning has 4 kB for its details. */
const MOST_NAMED = 10;
const MOST_CHARACTERS = 60;

/**
 * Reports which column became which field, and warns if none did. If the columns were not counted, the headers of the first
 * chunk's records stand for the file's.
 */
export function reportColumnUses(
  records: readonly PipelineRecord[],
  normalizer: CompanyNormalizer,
  {
    columns,
    chunkIndex,
    reportColumns,
    warn,
  }: Pick<StepContext<unknown, unknown>, "columns" | "chunkIndex" | "reportColumns" | "warn">,
): void {
  if (columns.length === 0 && chunkIndex > 0) return;
  const uses = columns.length > 0 ? usesOfColumns(columns, normalizer) : usesOfRecords(records, normalizer);
  reportColumns(uses);
  const isAnyRead = (plan: HeaderPlan) => plan.sources.size > 0;
  if (uses.some(({ field }) => field !== null) || records.some(({ data }) => isAnyRead(normalizer.planOf(data))))
    return;
  if (records.length === 0) return;
  warn(
    "no_column_recognised",
    "No column is one that the step knows, so nothing was normalised: name the columns in the step's fields.",
    {
      columns: uses.slice(0, MOST_NAMED).map(({ name }) => [...name].slice(0, MOST_CHARACTERS).join("")),
      column_count: uses.length,
    },
  );
}

function usesOfColumns(columns: StepContext<unknown, unknown>["columns"], normalizer: CompanyNormalizer): ColumnUse[] {
  const names = columns.slice(0, MOST_COLUMNS).map(({ name }) => name);
  return usesOf(names, [normalizer.planOf(Object.fromEntries(names.map((name) => [name, null])))]);
}

function usesOfRecords(records: readonly PipelineRecord[], normalizer: CompanyNormalizer): ColumnUse[] {
  const names = new Set<string>();
  const plans = new Set<HeaderPlan>();
  for (const { data } of records) {
    plans.add(normalizer.planOf(data));
    for (const name of Object.keys(data)) if (names.size < MOST_COLUMNS) names.add(name);
  }
  return usesOf([...names], plans);
}

function usesOf(names: readonly string[], plans: Iterable<HeaderPlan>): ColumnUse[] {
  const fields = new Map<string, string>();
  for (const plan of plans)
    for (const [field, headers] of plan.sources) for (const header of headers) fields.set(header, field);
  return names.map((name) => ({ name, field: fields.get(name) ?? null }));
}
