import { parseCompanyName } from "./company-name";
import type { NormalizeCompanyConfig } from "./config";
import { parseCountry } from "./country";
import { parseEmployees } from "./employees";
import { spellingTable, KNOWN_SPELLINGS } from "./known-spellings";
import { fixLetterCase } from "./letter-case";
import { parsePhone } from "./phone";
import { CANONICAL_FIELDS, headerPlanner, type CanonicalField, type HeaderPlan } from "./source-fields";
import { blankWords, cleanText, isBlank, MAX_FIELD_LENGTH, type Reading } from "./text";
import { parseCompanyDomain, parseEmail, parseWebsite, registrableDomain, type DomainRules } from "./web-address";

/** What is derived from a config once and serves all records. */
interface Tables {
  config: NormalizeCompanyConfig;
  blanks: ReadonlySet<string>;
  spellings: ReadonlyMap<string, string>;
  domainRules: DomainRules;
}

const UNPARSED = "_unparsed";
const MOST_PASSES = 5;
const tablesByConfig = new WeakMap<NormalizeCompanyConfig, Tables>();

/** Normalises the records of one chunk. Never throws: an unreadable value becomes null, with its original in `_unparsed`. */
export function companyNormalizer(
  config: NormalizeCompanyConfig,
): (data: Record<string, unknown>) => Record<string, unknown> {
  const tables = tablesFor(config);
  const planFor = headerPlanner(config.fields);
  return (data) => new CompanyRecord(data, planFor(data), tables).normalize();
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

  constructor(
    private readonly data: Record<string, unknown>,
    private readonly plan: HeaderPlan,
    private readonly tables: Tables,
  ) {}

  normalize(): Record<string, unknown> {
    const { config, spellings, domainRules } = this.tables;
    const fixCase = config.fix_case;
    // The country comes first: legal forms and phone numbers depend on it.
    const country = this.read(
      "country",
      ofText((text) => whole(parseCountry(text))),
    );
    this.read(
      "name",
      this.settled((text) =>
        parseCompanyName(text, { country, fixCase, normalizeLegalForm: config.normalize_legal_form, spellings }),
      ),
    );
    this.readDomain(domainRules);
    this.read("website", ofText(parseWebsite));
    this.read("email", ofText(parseEmail));
    this.readPhone(country ?? config.default_phone_country);
    const townCase = { spellings: new Map<string, string>(), acronyms: false };
    this.read(
      "city",
      this.settled((text) => cleanText(fixCase ? fixLetterCase(text, townCase) : text)),
    );
    this.read("employees", (value) => parseEmployees(value, config.employees_range));
    this.read("industry", ofText(whole));
    return this.assemble();
  }

  /**
   * Takes the first header whose value the parser can read. Blank and unreadable headers before it are used up, and the
   * unreadable ones kept as unparsed; headers after it stay ordinary fields of the record.
   */
  private read<Value extends string | number | null>(
    field: CanonicalField,
    parse: (value: string | number) => Reading<Value> | null,
  ): Value | null {
    for (const header of this.plan.get(field) ?? []) {
      this.used.add(header);
      const value = this.valueOf(header, field);
      if (value === null) continue;
      const reading = typeof value === "object" ? null : parse(value);
      if (reading === null || !reading.complete) this.unparsed.push([header, this.data[header]]);
      if (reading !== null) {
        this.values.set(field, reading.value);
        return reading.value;
      }
    }
    return null;
  }

  /**
   * Parses a text until nothing changes any more, so that the step leaves its own output alone. Capitals can look like
   * wrongly decoded text, and removing a character can leave a word for "no value".
   */
  private settled(parse: (text: string) => string | null): (value: string | number) => Reading<string> | null {
    return (value) => {
      let text = String(value);
      for (let pass = 0; pass < MOST_PASSES; pass++) {
        const parsed = parse(text);
        if (parsed === null || isBlank(parsed, this.tables.blanks)) return null;
        if (parsed === text) break;
        text = parsed;
      }
      return { value: text, complete: true };
    };
  }

  /** A header's value, with blanks as null. An object wraps a value that cannot be parsed. */
  private valueOf(header: string, field: CanonicalField): string | number | { raw: unknown } | null {
    const raw = this.data[header];
    if (raw === null || raw === undefined) return null;
    if (typeof raw === "number") return raw;
    if (typeof raw !== "string") return { raw };
    if (raw.length > MAX_FIELD_LENGTH) return raw.trim() === "" ? null : { raw };
    const text = cleanText(raw);
    // "na" means "not available" everywhere, but "NA" is Namibia's code.
    if (field === "country" && text === "NA") return text;
    return isBlank(text, this.tables.blanks) ? null : text;
  }

  private readDomain(rules: DomainRules): void {
    const parse = ofText((text) => parseCompanyDomain(text, rules));
    if (this.read("domain", parse) !== null || this.tables.config.fields.domain.length === 0) return;
    for (const field of ["website", "email"] as const) {
      for (const header of this.plan.get(field) ?? []) {
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
    const own = this.read("phone_extension", ofText(whole));
    if (own === null && extension !== null && this.tables.config.fields.phone_extension.length > 0)
      this.values.set("phone_extension", extension);
  }

  /** All canonical fields in their fixed order, then the record's other fields in theirs, then `_unparsed`. */
  private assemble(): Record<string, unknown> {
    const canonical = CANONICAL_FIELDS.filter((field) => this.tables.config.fields[field].length > 0);
    const entries = new Map<string, unknown>(canonical.map((field) => [field, this.values.get(field) ?? null]));
    for (const header of Object.keys(this.data)) {
      if (this.used.has(header) || header === UNPARSED) continue;
      if (this.tables.config.other_fields === "drop") continue;
      entries.set(freeName(header, entries, this.data), this.otherValue(this.data[header]));
    }
    const unparsed = this.allUnparsed();
    if (unparsed !== undefined) entries.set(UNPARSED, unparsed);
    // fromEntries defines own properties, so a header named __proto__ stays a field.
    return Object.fromEntries(entries);
  }

  private otherValue(value: unknown): unknown {
    if (typeof value !== "string" || this.tables.config.other_fields === "keep") return value;
    // The text is only trimmed: line breaks are part of a note.
    const text = value.trim();
    return isBlank(text, this.tables.blanks) ? null : text;
  }

  /** Keeps the `_unparsed` of a record that was normalised before. */
  private allUnparsed(): unknown {
    const before = this.data[UNPARSED];
    if (this.unparsed.length === 0) return before;
    if (before === undefined || before === null) return Object.fromEntries(this.unparsed);
    const earlier: [string, unknown][] = typeof before === "object" ? Object.entries(before) : [[UNPARSED, before]];
    return Object.fromEntries([...earlier, ...this.unparsed]);
  }
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
