import { z } from "zod";

export const configSchema = z.strictObject({
  schema: z
    .record(z.string(), z.unknown())
    .describe(
      "JSON Schema (draft 2020-12) of one record's data. References must stay inside the schema; patterns are RE2, without look-around and back-references.",
    ),
  max_errors: z.number().int().min(1).max(50).default(10).describe("At most this many errors are listed for a record."),
});

export type ValidateRecordsConfig = z.infer<typeof configSchema>;
