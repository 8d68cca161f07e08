/** Where the canonical fields of a step's output come from: their names, in the order of the output. */
export const CANONICAL_FIELDS = [
  "name",
  "domain",
  "website",
  "email",
  "phone",
  "phone_extension",
  "country",
  "city",
  "employees",
  "industry",
] as const;

export type CanonicalField = (typeof CANONICAL_FIELDS)[number];

/** Source headers of each field in the order in which they are tried. */
export type SourceFields = Partial<Record<CanonicalField, readonly string[]>>;

/** A header line as the system writes it, and which of its columns become which fields. */
export interface ExportExample {
  header: readonly string[];
  becomes: Readonly<Record<string, CanonicalField>>;
}

/** A system that people export companies from. Each header of `fields` is the system's own. */
export interface SourceSystem {
  fields: SourceFields;
  /** Tried after the headers of all systems: a mobile number, a second address. */
  fallbacks?: SourceFields;
  examples: readonly ExportExample[];
}
