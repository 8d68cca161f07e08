import { z } from "zod";

import { DEFAULT_BLANK_VALUES } from "./blank-values";
import { CANONICAL_FIELDS, type CanonicalField } from "./source-fields/source-system";

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

function sourceHeaders(field: CanonicalField) {
  return z
    .array(z.string().min(1).max(200))
    .max(50)
    .optional()
    .describe(
      `${DESCRIPTIONS[field]} Source headers in the order in which they are tried, instead of those that the step knows; an empty list switches the field off.`,
    );
}

const fieldsSchema = z.strictObject(
  Object.fromEntries(CANONICAL_FIELDS.map((field) => [field, sourceHeaders(field)])) as Record<
    CanonicalField,
    ReturnType<typeof sourceHeaders>
  >,
);

const wordList = z.array(z.string().min(1).max(200)).max(1_000);

export const configSchema = z.strictObject({
  fields: fieldsSchema
    .prefault({})
    .describe(
      "Where each canonical field comes from, by default from the headers of usual exports in nine languages. Headers match without regard to case, accents, spaces and punctuation.",
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
      "Title case for towns in ALL CAPS or all lower case, and for names in the one case that nine of ten cells of their column have. `always`: for each name in one case. `false`: for none.",
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
    .describe(
      "Domains that are a company's although the step takes them for a mail provider's, a portal's or a placeholder.",
    ),
});

export type NormalizeCompanyConfig = z.infer<typeof configSchema>;
