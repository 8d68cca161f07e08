import { defineStep, eachRecord, keep, reject } from "../step";
import { configSchema } from "./config";
import { recordValidator } from "./validator";

export const validateRecords = defineStep({
  slug: "validate-records",
  version: "1.0.0",
  title: "Validate records",
  description: "Rejects records that do not fit a JSON Schema, naming the fields. Records that fit pass unchanged.",
  configSchema,
  rejects: {
    schema_violation: "The record does not fit the schema. `details` lists the errors and their number.",
    schema_recursion_too_deep: "The record is nested more deeply than a recursive schema can follow.",
  },
  example: {
    config: {
      schema: {
        type: "object",
        required: ["name", "country"],
        properties: { country: { type: "string", pattern: "^[A-Z]{2}$" } },
      },
    },
    records: [{ name: "Acme", country: "DE" }, { name: "Bolt" }, { name: "Cogs", country: "Germany" }],
  },
  processChunk(records, { config }) {
    const failures = recordValidator(config)(records);
    return eachRecord(records, (record, index) => {
      const failure = failures[index];
      return failure ? reject(record, failure.reason, failure.message, failure.details) : keep(record);
    });
  },
});
