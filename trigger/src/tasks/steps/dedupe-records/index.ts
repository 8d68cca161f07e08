import { defineStep, drop, eachRecord, keep } from "../step";
import { configSchema } from "./config";
import { findDuplicates } from "./duplicates";
import { fillRecord } from "./fill-missing";

export const dedupeRecords = defineStep({
  slug: "dedupe-records",
  version: "2.0.0",
  title: "Remove duplicates",
  description:
    "Finds records of the batch that stand for the same thing, keeps one of them and drops the others, naming the one they duplicate.",
  configSchema,
  drops: {
    duplicate:
      "The record equals `details.duplicate_of` in the fields `details.matched_on`. With `direct: false` other records link it to the kept one, and `matched_on` names the fields of its link. `group_size` counts the kept record and all its duplicates. `differs_in` names fields that both records have with different values.",
  },
  example: {
    config: { merge: "fill_missing" },
    records: [
      { name: "Acme GmbH", domain: "acme.de", country: "DE", phone: null },
      { name: "Acme", domain: "acme.de", phone: "+49301234567" },
      { name: "ACME GmbH", country: "DE" },
      { name: "Bolt", domain: "bolt.com" },
    ],
  },
  prepareBatch: (batch) => findDuplicates(batch),
  async processChunk(records, { state: { verdicts, missingValues }, chunkIndex }) {
    const fillings = await missingValues?.ofChunk(chunkIndex);
    return eachRecord(records, (record) => {
      const duplicate = verdicts.get(record.id);
      if (duplicate === undefined) return keep(fillRecord(record, fillings?.get(record.id)));
      const { duplicateOf, matchedOn, direct, groupSize, differsIn } = duplicate;
      const details = {
        duplicate_of: duplicateOf,
        matched_on: matchedOn,
        direct,
        group_size: groupSize,
        differs_in: differsIn,
      };
      return drop(record, "duplicate", `The record is the same as record ${duplicateOf}.`, details);
    });
  },
});
