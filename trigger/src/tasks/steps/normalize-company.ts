import { z } from "zod";

import { defineStep, type ChunkOutcome, type PipelineRecord } from "../../pipeline/step";
import { DEFAULT_BLANK_VALUES } from "./normalize-company/blank-values";
import { tellOfColumns } from "./normalize-company/column-use";
import { CompanyNormalizer, type NormalizeCompanyConfig } from "./normalize-company/normalizer";
import { CANONICAL_FIELDS, type CanonicalField } from "./normalize-company/source-fields/source-system";

const DESCRIPTIONS: Readonly<Record<CanonicalField, string>> = {
  name: "Company name.",
  domain:
    "The company's registrable domain. Without a value of its own it comes from the website, then from the e-mail address.",
  website: "Web address.",
  email: "E-mail address.",
  phone: "Phone number, to E.164.",
  phone_extension: "Extension of the phone number; also taken from the phone number itself.",
  country: "Country, to ISO 3166-1 alpha-2; also the region of phone numbers.",
  city: "Town.",
  employees: "Head count, to an integer.",
  industry: "Industry.",
};

function sourceField(field: CanonicalField) {
  return z
    .array(z.string().min(1).max(200))
    .max(50)
    .optional()
    .describe(
      `${DESCRIPTIONS[field]} Source headers in the order in which they are tried, instead of those that the step knows; an empty list switches the field off.`,
    );
}

const fieldsSchema = z.strictObject({
  name: sourceField("name"),
  domain: sourceField("domain"),
  website: sourceField("website"),
  email: sourceField("email"),
  phone: sourceField("phone"),
  phone_extension: sourceField("phone_extension"),
  country: sourceField("country"),
  city: sourceField("city"),
  employees: sourceField("employees"),
  industry: sourceField("industry"),
});

const wordList = z.array(z.string().min(1).max(200)).max(1_000);

const configSchema: z.ZodType<NormalizeCompanyConfig> = z.strictObject({
  fields: fieldsSchema
    .prefault({})
    .describe(
      "Where each canonical field comes from. Without it, from the headers of usual CRMs in several languages. Headers match without regard to case, accents, spaces and punctuation.",
    ),
  other_fields: z
    .enum(["clean", "keep", "drop"])
    .default("clean")
    .describe(
      "What happens to headers that feed no canonical field: trimmed and blanks to null, kept as they are, or dropped.",
    ),
  require_any_of: z
    .array(z.enum(CANONICAL_FIELDS))
    .default(["name", "domain"])
    .describe(
      "A record in which all of these are empty is rejected as unidentifiable_company. An empty list rejects nothing.",
    ),
  blank_values: wordList
    .default(DEFAULT_BLANK_VALUES)
    .describe("Words that stand for no value, in any case. The empty string and a spreadsheet's errors always do."),
  fix_case: z
    .union([z.boolean(), z.literal("always")])
    .default(true)
    .describe(
      "Title case for towns that are ALL CAPS or all lower case, and for names where nine of ten cells of the column are. With always, for each such name.",
    ),
  normalize_legal_form: z
    .boolean()
    .default(true)
    .describe("One spelling per legal form: gmbh to GmbH, incorporated to Inc."),
  spellings: wordList
    .default([])
    .describe("Words spelled as given when letter case is fixed, such as ACME or iCompany."),
  default_phone_country: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .nullable()
    .default(null)
    .describe(
      "Region of phone numbers without international prefix in records without country, as ISO 3166-1 alpha-2. Never written to a record.",
    ),
  employees_range: z
    .enum(["lower", "upper", "midpoint", "null"])
    .default("lower")
    .describe("What a range such as 51-200 becomes. The original is kept in _unparsed."),
  freemail_domains: wordList.default([]).describe("Further domains that are a mail provider's, not a company's."),
  company_domains: wordList
    .default([])
    .describe("Domains that are a company's although the step takes them for a mail provider's or a platform's."),
});

const nullableText = z.string().nullable();

/** Normalises company rows of any usual CRM export into one set of fields. */
export const normalizeCompany = defineStep({
  slug: "normalize-company",
  version: "2.0.0",
  title: "Normalise companies",
  description:
    "Maps the headers of usual CRM exports to canonical fields and puts names, domains, countries, phone numbers and head counts into one form. What cannot be read becomes null and is kept in _unparsed; names that were respelled keep their original in _original.",
  executionMode: "inline",
  configSchema,
  inputSchema: z.record(z.string(), z.unknown()),
  outputSchema: z
    .looseObject({
      name: nullableText,
      domain: nullableText,
      website: nullableText,
      email: nullableText,
      phone: nullableText,
      phone_extension: nullableText,
      country: nullableText,
      city: nullableText,
      employees: z.number().int().nullable(),
      industry: nullableText,
      _original: z.record(z.string(), z.unknown()).optional(),
      _unparsed: z.record(z.string(), z.unknown()).optional(),
    })
    .partial(),
  processChunk(records, context) {
    const { config, columns } = context;
    const normalizer = new CompanyNormalizer(config, columns);
    tellOfColumns(records, normalizer, context);
    const outcome: ChunkOutcome = { records: [], rejected: [], dropped: [] };
    for (const record of records) {
      const data = normalizer.normalize(record.data);
      if (isIdentifiable(data, config.require_any_of)) outcome.records.push({ id: record.id, data });
      else outcome.rejected.push(unidentifiable(record, data, config.require_any_of));
    }
    return outcome;
  },
});

function isIdentifiable(data: Record<string, unknown>, required: readonly CanonicalField[]): boolean {
  return required.length === 0 || required.some((field) => data[field] !== null && data[field] !== undefined);
}

function unidentifiable(record: PipelineRecord, data: Record<string, unknown>, required: readonly CanonicalField[]) {
  const unparsed = data["_unparsed"];
  return {
    id: record.id,
    reason: "unidentifiable_company",
    message: `The record has no usable value for ${required.join(" or ")}.`,
    details: { require_any_of: [...required], ...(unparsed !== undefined && { unparsed }) },
  };
}
