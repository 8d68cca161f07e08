import { z } from "zod";

const fieldName = z.string().min(1).max(200);

export const configSchema = z.strictObject({
  match_on: z
    .array(z.array(fieldName).min(1).max(10))
    .min(1)
    .max(10)
    .default([["domain"], ["name", "country"]])
    .describe(
      "Lists of fields. Two records are the same when all fields of any one list are equal; an empty field never matches. Matches chain: if A is B and B is C, all three are one.",
    ),
  compare_as: z
    .record(fieldName, z.enum(["text", "company_name", "exact"]))
    .default({})
    .describe(
      "How a field is compared: text (the default) ignores case and white space, company_name also accents, punctuation and the legal form, exact ignores nothing.",
    ),
  keep: z
    .enum(["most_complete", "first", "last"])
    .default("most_complete")
    .describe(
      "Which of the equal records stays: the one with the most filled fields (of several the lowest row), the first row, or the last.",
    ),
  merge: z
    .enum(["none", "fill_missing"])
    .default("none")
    .describe(
      "fill_missing gives the kept record the values it lacks from its duplicates, the most complete first, and lists their rows in _filled_from. Rows whose values would make the chunk larger than 4 MB are listed in _left_in instead.",
    ),
});

export type DedupeRecordsConfig = z.infer<typeof configSchema>;
