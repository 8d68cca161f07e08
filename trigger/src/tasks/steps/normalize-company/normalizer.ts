import type { ColumnProfile } from "../step";
import { blankWords, isBlank } from "./blank-values";
import { cellText } from "./cell";
import { caseOfColumn } from "./column-case";
import { hasDottedI, parseCompanyName, type CompanyNameOptions } from "./company-name";
import type { DomainRules } from "./company-host";
import type { NormalizeCompanyConfig } from "./config";
import { parseCountry } from "./country";
import { parseEmail } from "./email-address";
import { parseEmployees } from "./employees";
import { HeaderPlanner, type HeaderPlan } from "./header-plan";
import { KNOWN_SPELLINGS, spellingTable } from "./known-spellings";
import { fixLetterCase } from "./letter-case";
import { parsePhone } from "./phone";
import { CANONICAL_FIELDS, type CanonicalField } from "./source-fields/source-system";
import { withoutFormulaGuard } from "./spreadsheet-text";
import { cleanText, MAX_FIELD_LENGTH, withoutBlanks, type Reading } from "./text";
import { parseCompanyDomain, parseWebsite, registrableDomain } from "./web-address";

/** What is derived from a config once and serves all records. */
interface Tables {
  config: NormalizeCompanyConfig;
  blanks: ReadonlySet<string>;
  spellings: ReadonlyMap<string, string>;
  domainRules: DomainRules;
}

const UNPARSED = "_unparsed";
const ORIGINAL = "_original";
const MOST_PASSES = 5;
const tablesByConfig = new WeakMap<NormalizeCompanyConfig, Tables>();

/** Normalises the records of one chunk. Its planner knows the file's columns. */
export class CompanyNormalizer {
  readonly #tables: Tables;
  readonly #planner: HeaderPlanner;
  readonly #columns: ReadonlyMap<string, ColumnProfile>;

  constructor(config: NormalizeCompanyConfig, columns: readonly ColumnProfile[]) {
    this.#tables = tablesFor(config);
    this.#planner = new HeaderPlanner(config.fields, columns);
    this.#columns = new Map(columns.map((column) => [column.name, column]));
  }

  planOf(data: Record<string, unknown>): HeaderPlan {
    return this.#planner.planOf(data);
  }

  /** Never throws: an unreadable value becomes null, with its original in `_unparsed`. */
  normalize(data: Record<string, unknown>): Record<string, unknown> {
    return new CompanyRecord(data, this.planOf(data), this.#columns, this.#tables).normalize();
  }
}

function tablesFor(config: NormalizeCompanyConfig): Tables {
  let tables = tablesByConfig.get(config);
  if (tables === undefined) {
    const domains = (list: string[]) => new Set(list.map((entry) => registrableDomain(entry) ?? entry));
    tables = {
      config,
      blanks: blankWords(config.blank_values),
      spellings: spellingTable(KNOWN_SPELLINGS, config.spellings),
      domainRules: { freemail: domains(config.freemail_domains), company: domains(config.company_domains) },
    };
    tablesByConfig.set(config, tables);
  }
  return tables;
}

/** One record in process, with the headers that are used up and the originals to keep. */
class CompanyRecord {
  private readonly values = new Map<CanonicalField, string | number | null>();
  private readonly used = new Set<string>();
  private readonly unparsed: [string, unknown][] = [];
  private readonly originals: [string, unknown][] = [];
  private readonly texts = new Map<string, string>();

  constructor(
    private readonly data: Record<string, unknown>,
    private readonly plan: HeaderPlan,
    private readonly columns: ReadonlyMap<string, ColumnProfile>,
    private readonly tables: Tables,
  ) {}

  normalize(): Record<string, unknown> {
    const { config, spellings, domainRules } = this.tables;
    // The country comes first: legal forms, letter case and phone numbers depend on it.
    const country = this.read(
      "country",
      ofText((text) => whole(parseCountry(text))),
    );
    const nameOptions = { country, normalizeLegalForm: config.normalize_legal_form, spellings };
    this.readRespelled("name", (text, header) =>
      parseCompanyName(text, { ...nameOptions, fixCase: this.caseToFix(header) }),
    );
    this.readDomain(domainRules);
    this.read(
      "website",
      ofText((text) => parseWebsite(text, domainRules)),
    );
    this.read(
      "email",
      ofText((text) => parseEmail(text, domainRules)),
    );
    this.readPhone(country ?? config.default_phone_country);
    const townCase = { spellings: new Map<string, string>(), acronyms: false, dottedI: hasDottedI(country) };
    this.readRespelled("city", (text) => (config.fix_case === false ? text : cleanText(fixLetterCase(text, townCase))));
    this.read("employees", (value) => parseEmployees(value, config.employees_range));
    this.read("industry", ofText(whole));
    return this.assemble();
  }

  /** The case that the header's whole column has, which is then nobody's choice for a single name. */
  private caseToFix(header: string): CompanyNameOptions["fixCase"] {
    switch (this.tables.config.fix_case) {
      case "always":
        return "any";
      case true:
        return this.plan.isOwnOutput ? null : caseOfColumn(this.columns.get(header));
      case false:
        return null;
    }
  }

  /**
   * Takes the first header whose value the parser can read. Blank and unreadable headers before it are used up, and the
   * unreadable ones kept as unparsed; headers after it stay ordinary fields of the record.
   */
  private read<Value extends string | number | null>(
    field: CanonicalField,
    parse: (value: string | number, header: string) => Reading<Value> | null,
  ): Value | null {
    for (const header of this.plan.sources.get(field) ?? []) {
      this.used.add(header);
      const value = this.valueOf(header, field);
      if (value === null) continue;
      const reading = typeof value === "object" ? null : parse(value, header);
      if (reading === null || !reading.complete) this.unparsed.push([header, this.data[header]]);
      if (reading !== null) {
        this.values.set(field, reading.value);
        return reading.value;
      }
    }
    return null;
  }

  /**
   * Reads a text that may be respelled, and notes its original then. The text is parsed until nothing changes any more, so
   * that the step leaves its own output alone. Capitals can look like wrongly decoded text, and removing a character can
   * leave a word for "no value".
   */
  private readRespelled(field: CanonicalField, parse: (text: string, header: string) => string | null): void {
    this.read(field, (value, header) => {
      let text = String(value);
      for (let pass = 0; pass < MOST_PASSES; pass++) {
        const parsed = parse(cellText(text, field), header);
        if (parsed === null || isBlank(parsed, this.tables.blanks)) return null;
        if (parsed === text) break;
        text = parsed;
      }
      const raw = this.data[header];
      if (text !== withoutBlanks(String(raw))) this.originals.push([header, raw]);
      return { value: text, complete: true };
    });
  }

  /** A header's value, with blanks as null. An object wraps a value that cannot be parsed. */
  private valueOf(header: string, field: CanonicalField): string | number | { raw: unknown } | null {
    const raw = this.data[header];
    if (raw === null || raw === undefined) return null;
    if (typeof raw === "number") return raw;
    if (typeof raw !== "string") return { raw };
    if (raw.length > MAX_FIELD_LENGTH) return raw.trim() === "" ? null : { raw };
    let text = this.texts.get(header);
    if (text === undefined) this.texts.set(header, (text = cellText(raw, field)));
    // "na" means "not available" everywhere, but "NA" is Namibia's code.
    if (field === "country" && text === "NA") return text;
    return isBlank(text, this.tables.blanks) ? null : text;
  }

  private readDomain(rules: DomainRules): void {
    const parse = ofText((text) => parseCompanyDomain(text, rules));
    if (this.read("domain", parse) !== null || this.isOff("domain")) return;
    for (const field of ["website", "email"] as const) {
      for (const header of this.plan.sources.get(field) ?? []) {
        const value = this.valueOf(header, field);
        const reading = typeof value === "string" ? parse(value) : null;
        if (reading !== null) {
          this.values.set("domain", reading.value);
          return;
        }
      }
    }
  }

  private readPhone(region: string | null): void {
    let extension: string | null = null;
    this.read("phone", (value) => {
      const reading = parsePhone(String(value), region);
      if (reading === null) return null;
      extension = reading.value.extension;
      return { value: reading.value.number, complete: reading.complete };
    });
    const own = this.read(
      "phone_extension",
      ofText((text) => (/\d/.test(text) ? whole(text) : null)),
    );
    if (own === null && extension !== null && !this.isOff("phone_extension"))
      this.values.set("phone_extension", extension);
  }

  private isOff(field: CanonicalField): boolean {
    return this.tables.config.fields[field]?.length === 0;
  }

  /** All canonical fields in their fixed order, then the record's other fields in theirs, then the notes. */
  private assemble(): Record<string, unknown> {
    const canonical = CANONICAL_FIELDS.filter((field) => !this.isOff(field));
    const entries = new Map<string, unknown>(canonical.map((field) => [field, this.values.get(field) ?? null]));
    for (const header of Object.keys(this.data)) {
      if (this.used.has(header) || header === UNPARSED || header === ORIGINAL) continue;
      if (this.tables.config.other_fields === "drop") continue;
      entries.set(freeName(header, entries, this.data), this.otherValue(this.data[header]));
    }
    const original = noteOf(ORIGINAL, this.data, this.originals, "earlier");
    if (original !== undefined) entries.set(ORIGINAL, original);
    const unparsed = noteOf(UNPARSED, this.data, this.unparsed, "newer");
    if (unparsed !== undefined) entries.set(UNPARSED, unparsed);
    // fromEntries defines own properties, so a header named __proto__ stays a field.
    return Object.fromEntries(entries);
  }

  private otherValue(value: unknown): unknown {
    if (typeof value !== "string" || this.tables.config.other_fields === "keep") return value;
    // The text is only trimmed: line breaks are part of it.
    const text = withoutFormulaGuard(value.trim());
    return isBlank(text, this.tables.blanks) ? null : text;
  }
}

/** Keeps the note of a record that was normalised before. `winner` decides where both notes have a header. */
function noteOf(
  name: string,
  data: Record<string, unknown>,
  now: readonly [string, unknown][],
  winner: "earlier" | "newer",
): unknown {
  const before = data[name];
  if (now.length === 0) return before;
  if (before === undefined || before === null) return Object.fromEntries(now);
  const earlier: [string, unknown][] = typeof before === "object" ? Object.entries(before) : [[name, before]];
  return Object.fromEntries(winner === "newer" ? [...earlier, ...now] : [...now, ...earlier]);
}

function whole<Value>(value: Value | null): Reading<Value> | null {
  return value === null ? null : { value, complete: true };
}

function ofText<Value>(
  parse: (text: string) => Reading<Value> | null,
): (value: string | number) => Reading<Value> | null {
  return (value) => parse(String(value));
}

/** If a canonical field has taken the name of another field, that becomes `<name>_original`. */
function freeName(header: string, taken: ReadonlyMap<string, unknown>, data: Record<string, unknown>): string {
  let name = header;
  while (taken.has(name)) {
    name += "_original";
    while (Object.hasOwn(data, name)) name += "_original";
  }
  return name;
}
