import { z } from "zod";

import { defineStep, eachRecord, keep, reject } from "../step";
import { reportColumnUses } from "./column-use";
import { configSchema } from "./config";
import { CompanyNormalizer } from "./normalizer";
import { CANONICAL_FIELDS, type CanonicalField } from "./source-fields/source-system";

const text = z.string().nullable();
const texts = Object.fromEntries(CANONICAL_FIELDS.map((field) => [field, text])) as Record<CanonicalField, typeof text>;

export const normalizeCompany = defineStep({
  slug: "normalize-company",
  version: "2.0.0",
  title: "Normalise companies",
  description:
    "Maps the headers of usual CRM exports to canonical fields and puts names, domains, countries, phone numbers and head counts into one form. What cannot be read becomes null and is kept in _unparsed; respelled names and towns keep their original in _original.",
  configSchema,
  outputSchema: z
    .looseObject({
      ...texts,
      employees: z.number().int().nullable(),
      _original: z.record(z.string(), z.unknown()).optional(),
      _unparsed: z.record(z.string(), z.unknown()).optional(),
    })
    .partial(),
  rejects: {
    unidentifiable_company:
      "All fields in `require_any_of` are null. `details` has that list as `require_any_of`, and the originals that could not be read as `unparsed`.",
  },
  example: {
    config: {},
    records: [
      {
        "Company name": "Acme Rockets gmbh",
        Website: "WWW.Acme-Rockets.de/",
        Phone: "call reception",
        "Country/Region": "Deutschland",
        Employees: "51-200",
        Owner: " jane ",
      },
      { Phone: "030 1234567", City: "BERLIN" },
    ],
  },
  processChunk(records, context) {
    const { config, columns } = context;
    const normalizer = new CompanyNormalizer(config, columns);
    reportColumnUses(records, normalizer, context);
    const required = config.require_any_of;
    return eachRecord(records, (record) => {
      const data = normalizer.normalize(record.data);
      const isIdentifiable = required.length === 0 || required.some((field) => (data[field] ?? null) !== null);
      if (isIdentifiable) return keep(record, data);
      const unparsed = data["_unparsed"];
      return reject(record, "unidentifiable_company", `The record has no usable value for ${required.join(" or ")}.`, {
        require_any_of: required,
        ...(unparsed !== undefined && { unparsed }),
      });
    });
  },
});
