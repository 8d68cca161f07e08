import { bench, describe } from "vitest";

import { sampleRecords } from "../../../testing/sample-records";
import { normalizeCompany } from ".";
import { CompanyNormalizer } from "./normalizer";

/** `npx vitest bench`: one round is the samples, 827 records. */
const records = sampleRecords();
const config = normalizeCompany.configSchema.parse({});

describe(`normalising ${records.length} records`, () => {
  bench("the samples", () => {
    const normalizer = new CompanyNormalizer(config, []);
    for (const record of records) normalizer.normalize(record);
  });
});
