import { z } from "zod";

import { defineStep, type ChunkOutcome } from "../../pipeline/step";
import { fillRecord, findDuplicates, type DedupeRecordsConfig, type Duplicates } from "./dedupe-records/duplicates";

const fieldName = z.string().min(1).max(200);
const fieldList = z.array(fieldName).min(1).max(10);

const configSchema: z.ZodType<DedupeRecordsConfig> = z.strictObject({
  match_on: z
    .array(z.union([fieldList, z.strictObject({ equal: fieldList, agree: fieldList })]))
    .min(1)
    .max(10)
    .default([{ equal: ["domain"], agree: ["name", "country"] }, ["name", "country"]])
    .describe(
      "Rules. Two records are the same when all fields of any one list are equal; an empty field never matches. With agree, these fields must not contradict as well: where both records have one, it is the same, as company_name unless compare_as says otherwise. Matches chain: if A is B and B is C, all three are one.",
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
      "A value that more records share is no key: they stay apart, and a warning lists it. A mail provider's domain and a placeholder are such values.",
    ),
});

/** Keeps one of each group of equal records of the whole batch and drops the others. */
export const dedupeRecords = defineStep<DedupeRecordsConfig, Duplicates>({
  slug: "dedupe-records",
  version: "2.0.0",
  title: "Remove duplicates",
  description:
    "Finds records of the batch that stand for the same thing, keeps one of them and drops the others, naming the one they duplicate.",
  executionMode: "inline",
  configSchema,
  inputSchema: z.record(z.string(), z.unknown()),
  outputSchema: z.record(z.string(), z.unknown()),
  prepareBatch: (context) => findDuplicates(context),
  async processChunk(records, { state, chunkIndex }) {
    const loans = await state.loans?.ofChunk(chunkIndex);
    const outcome: ChunkOutcome = { records: [], rejected: [], dropped: [] };
    for (const record of records) {
      const duplicate = state.verdicts.get(record.id);
      if (duplicate === undefined) {
        outcome.records.push(fillRecord(record, loans?.get(record.id)));
        continue;
      }
      outcome.dropped.push({
        id: record.id,
        reason: "duplicate",
        message: `The record is the same as record ${duplicate.duplicateOf}.`,
        details: {
          duplicate_of: duplicate.duplicateOf,
          matched_on: duplicate.matchedOn,
          direct: duplicate.direct,
          group_size: duplicate.groupSize,
          differs_in: duplicate.differsIn,
        },
      });
    }
    return outcome;
  },
});
