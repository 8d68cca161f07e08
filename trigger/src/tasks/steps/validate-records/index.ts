import { z } from "zod";

import { defineStep, type ChunkOutcome } from "../step";
import { recordValidator, type ValidateRecordsConfig } from "./validator";

const configSchema: z.ZodType<ValidateRecordsConfig> = z.strictObject({
  schema: z
    .record(z.string(), z.unknown())
    .describe(
      "JSON Schema (draft 2020-12) of one record's data. References must stay inside the schema; patterns are RE2, without look-around and back-references.",
    ),
  max_errors: z.number().int().min(1).max(50).default(10).describe("At most this many errors are listed for a record."),
});

/** Lets pass what fits a JSON Schema, unchanged, and rejects the rest with the reasons. */
export const validateRecords = defineStep({
  slug: "validate-records",
  version: "1.0.0",
  title: "Validate records",
  description: "Rejects records that do not fit a JSON Schema, naming the fields. Records that fit pass unchanged.",
  executionMode: "inline",
  configSchema,
  inputSchema: z.record(z.string(), z.unknown()),
  outputSchema: z.record(z.string(), z.unknown()),
  processChunk(records, { config }) {
    const failures = recordValidator(config)(records);
    const outcome: ChunkOutcome = { records: [], rejected: [], dropped: [] };
    records.forEach((record, index) => {
      const failure = failures[index];
      if (failure === undefined || failure === null) outcome.records.push(record);
      else outcome.rejected.push({ id: record.id, ...failure });
    });
    return outcome;
  },
});
