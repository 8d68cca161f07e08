import { z } from "zod";

const fieldName = z.string().min(1).max(200);
const fieldList = z.array(fieldName).min(1).max(10);

export const configSchema = z.strictObject({
  match_on: z
    .array(z.union([fieldList, z.strictObject({ equal: fieldList, agree: fieldList })]))
    .min(1)
    .max(10)
    .default([{ equal: ["domain"], agree: ["name", "country"] }, ["name", "country"]])
    .describe(
      "Rules. Two records are the same when any rule holds. A list of fields holds when all of them are equal; an empty field never matches. In the long form, the fields `agree` must not contradict either: if both records have a value, it is the same, compared as company_name unless compare_as says otherwise. Matches chain: if A is B and B is C, all three are one.",
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
  max_group: z
    .int()
    .min(2)
    .max(1_000_000)
    .default(10)
    .describe(
      "A value that more records share, such as a placeholder, is no key: they stay apart under that rule, and a warning lists the value.",
    ),
});

export type DedupeRecordsConfig = z.infer<typeof configSchema>;
