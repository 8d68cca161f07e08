import type { ColumnProfile } from "../step";
import { headerKey, headerVariants } from "./header-variants";
import { KNOWN_HEADERS, NAMES_OF_EITHER, PARTS_OF_A_PERSONS_NAME } from "./source-fields";
import { CANONICAL_FIELDS, type CanonicalField, type SourceFields } from "./source-fields/source-system";

export interface HeaderPlan {
  /** Which of a record's headers feed which canonical field, in the order in which they are tried. */
  sources: ReadonlyMap<CanonicalField, readonly string[]>;
  /** The headers are those of this step, and not the file's: what is known of the file's columns is not about them. */
  isOwnOutput: boolean;
}

/** Files have few header lists. JSON records can have one each: then the plan of each is computed from its headers. */
const MOST_PLANS = 100;
/** Headers occur in many lists; the answers for so many are kept as long as the planner. */
const MOST_MATCHES = 5_000;

const NAME_OF_EITHER: ReadonlySet<string> = new Set(NAMES_OF_EITHER.map(headerKey));
const PERSONS_NAME: ReadonlySet<string> = new Set(PARTS_OF_A_PERSONS_NAME.map(headerKey));

interface Match {
  field: CanonicalField;
  rank: number;
  /** A name that may be a person's as well. */
  isNameOfEither: boolean;
}

/** A header that is only like a known one is tried after all known ones. */
const RANK_OF_VARIANTS = 10_000;

/** A config's fields are the same for all its chunks. */
const ranksByFields = new WeakMap<SourceFields, ReadonlyMap<string, Match>>();

function ranksOf(fields: SourceFields): ReadonlyMap<string, Match> {
  const before = ranksByFields.get(fields);
  if (before !== undefined) return before;
  const ranks = new Map<string, Match>();
  for (const field of CANONICAL_FIELDS) {
    (fields[field] ?? KNOWN_HEADERS[field]).forEach((source, rank) => {
      const key = headerKey(source);
      if (!ranks.has(key)) ranks.set(key, { field, rank, isNameOfEither: NAME_OF_EITHER.has(key) });
    });
  }
  ranksByFields.set(fields, ranks);
  return ranks;
}

/**
 * Plans by header list: the records of a file share theirs. `columns` are those of the whole file, as far as they are
 * known; what a header means depends on the others.
 */
export class HeaderPlanner {
  readonly #ranks: ReadonlyMap<string, Match>;
  readonly #plans = new Map<string, HeaderPlan>();
  readonly #matches = new Map<string, Match | undefined>();
  #last: { headers: readonly string[]; plan: HeaderPlan } | undefined;
  readonly #canonical: readonly CanonicalField[];
  readonly #isOwnOutputReadable: boolean;
  readonly #isCanonicalFile: boolean;
  /** Fields for which the config names the headers. */
  readonly #chosen: ReadonlySet<CanonicalField>;
  readonly #filledColumns: readonly string[];
  readonly #emptyColumns: ReadonlySet<string>;

  constructor(fields: SourceFields, columns: readonly ColumnProfile[]) {
    this.#canonical = CANONICAL_FIELDS.filter((field) => fields[field]?.length !== 0);
    this.#chosen = new Set(CANONICAL_FIELDS.filter((field) => fields[field] !== undefined));
    this.#filledColumns = columns.filter(({ filled }) => filled > 0).map(({ name }) => name);
    this.#emptyColumns = new Set(columns.filter(({ filled }) => filled === 0).map(({ name }) => name));
    this.#ranks = ranksOf(fields);
    this.#isOwnOutputReadable = this.#canonical.every((field) => this.#ranks.get(headerKey(field))?.field === field);
    this.#isCanonicalFile = this.#areCanonical(columns.map(({ name }) => name));
  }

  planOf(data: Record<string, unknown>): HeaderPlan {
    const headers = Object.keys(data);
    const last = this.#last;
    if (last?.headers.length === headers.length && last.headers.every((header, index) => header === headers[index]))
      return last.plan;
    const cacheKey = JSON.stringify(headers);
    let plan = this.#plans.get(cacheKey);
    if (plan === undefined) {
      plan = this.plan(headers);
      if (this.#plans.size < MOST_PLANS) this.#plans.set(cacheKey, plan);
    }
    this.#last = { headers, plan };
    return plan;
  }

  plan(headers: readonly string[]): HeaderPlan {
    if (this.#areCanonical(headers)) {
      const sources = new Map(this.#canonical.map((field) => [field, [field]] as const));
      return { sources, isOwnOutput: !this.#isCanonicalFile };
    }
    const isAboutPeople = this.#isAboutPeople(headers);
    const ranked: (Match & { header: string })[] = [];
    for (const header of headers) {
      const match = this.#match(header);
      if (match === undefined || (isAboutPeople && match.isNameOfEither)) continue;
      ranked.push({ header, ...match });
    }
    // `Name` and `name` may both be there. The canonical spelling wins; of others the spelling decides, not the order in
    // which the JSON came.
    const isCanonical = ({ header, field }: (typeof ranked)[number]) => Number(header === field);
    ranked.sort((a, b) => a.rank - b.rank || isCanonical(b) - isCanonical(a) || (a.header < b.header ? -1 : 1));
    const sources = new Map<CanonicalField, string[]>();
    for (const { header, field } of ranked) sources.set(field, [...(sources.get(field) ?? []), header]);
    return { sources, isOwnOutput: false };
  }

  /** A record that was normalised before has all canonical fields: it keeps their values, whatever else it has. */
  #areCanonical(headers: readonly string[]): boolean {
    if (!this.#isOwnOutputReadable || this.#canonical.length === 0) return false;
    const present = new Set(headers);
    return this.#canonical.every((field) => present.has(field));
  }

  #match(header: string): Match | undefined {
    if (this.#matches.has(header)) return this.#matches.get(header);
    const match = this.#find(header);
    if (this.#matches.size < MOST_MATCHES) this.#matches.set(header, match);
    return match;
  }

  #find(header: string): Match | undefined {
    const own = this.#ranks.get(headerKey(header));
    if (own !== undefined) return own;
    for (const { key, isOfCompany } of headerVariants(header)) {
      const match = this.#ranks.get(key);
      // A list that the config gives is taken at its word.
      if (match === undefined || this.#chosen.has(match.field)) continue;
      const isNameOfEither = match.isNameOfEither && !isOfCompany;
      return { field: match.field, rank: RANK_OF_VARIANTS + match.rank, isNameOfEither };
    }
    return undefined;
  }

  /** Another column names the company, or the file has the parts of a person's name; columns that are empty say nothing. */
  #isAboutPeople(headers: readonly string[]): boolean {
    if (this.#chosen.has("name")) return false;
    const telling = [...this.#filledColumns, ...headers].filter((header) => !this.#emptyColumns.has(header));
    return telling.some((header) => {
      if (PERSONS_NAME.has(headerKey(header))) return true;
      const match = this.#match(header);
      return match?.field === "name" && !match.isNameOfEither;
    });
  }
}
