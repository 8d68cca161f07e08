import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { ColumnProfile } from "../step";
import { normalizeCompany } from ".";
import { CompanyNormalizer } from "./normalizer";
import { KNOWN_HEADERS, NAMES_OF_EITHER, PARTS_OF_A_PERSONS_NAME } from "./source-fields";
import { CANONICAL_FIELDS } from "./source-fields/source-system";

const headers = [
  ...Object.values(KNOWN_HEADERS).flat(),
  ...NAMES_OF_EITHER,
  ...PARTS_OF_A_PERSONS_NAME,
  "Notes",
  "__proto__",
];

// prettier-ignore
const pieces = [
  "Acme", "ACME", "acme", "GmbH", "gmbh & co. kg", "S.A.", "PT.", "UAB", "İ", "IŞIK", "ß", "&", "&amp;", "&eacute", "&#39;", "&lt;",
  "=\"", "\"", "'", "=HYPERLINK(", "#REF!", "n/a", "unbekannt", "@", "jane@acme.com", "o'neal", "none@none.com", "mailto:", "<", ">",
  ",", ";", "/", "|", ":::", "\n", "\t", "\u00a0", "\u200b", "\ud83d", "MÃ¼", "Ã", "株式会社", "030 1234567", "+49 30 1234567", "(800) 200-",
  "TAXI", "ext. 12", "poste 3", "Press 2", "DE", "Congo", "Slowakische Republik", "TR", "51-200", "10k", "https://", "acme.de",
  "facebook.com/acme", "x.en.alibaba.com", "dhs.dc.gov", "-", ".", " ",
];

const text = fc.oneof(
  fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map((parts) => parts.join("")),
  fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map((parts) => parts.join(" ")),
  fc.string({ unit: "binary", maxLength: 60 }),
);
const value = fc.oneof({ weight: 8, arbitrary: text }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) });
const record = fc.dictionary(fc.constantFrom(...headers), value, { maxKeys: 8, noNullPrototype: true });
const column: fc.Arbitrary<ColumnProfile> = fc.record({
  name: fc.constantFrom(...headers),
  filled: fc.nat(100),
  capitals: fc.nat(100),
  lower_case: fc.nat(100),
  numeric: fc.nat(100),
});
const config = fc.record({
  other_fields: fc.constantFrom("clean", "keep", "drop"),
  fix_case: fc.constantFrom<(boolean | "always")[]>(true, false, "always"),
  normalize_legal_form: fc.boolean(),
  default_phone_country: fc.constantFrom(null, "DE", "US"),
});
const input = fc.tuple(record, fc.array(column, { maxLength: 4 }), config);

const runs = { numRuns: 500, seed: 11 };

describe("whatever a record holds", { timeout: 60_000 }, () => {
  it("normalising it again changes nothing", () => {
    fc.assert(
      fc.property(input, ([data, columns, given]) => {
        const normalizer = new CompanyNormalizer(normalizeCompany.configSchema.parse(given), columns);
        const once = normalizer.normalize(data);
        expect(normalizer.normalize(once)).toEqual(once);
      }),
      runs,
    );
  });

  it("what was normalised with its columns known stays when they are not", () => {
    fc.assert(
      fc.property(input, ([data, columns, given]) => {
        const parsed = normalizeCompany.configSchema.parse(given);
        const once = new CompanyNormalizer(parsed, columns).normalize(data);
        expect(new CompanyNormalizer(parsed, []).normalize(once)).toEqual(once);
      }),
      runs,
    );
  });

  it("the output has each canonical field and is not much larger than what came", () => {
    fc.assert(
      fc.property(input, ([data, columns, given]) => {
        const normalizer = new CompanyNormalizer(normalizeCompany.configSchema.parse(given), columns);
        const once = normalizer.normalize(data);
        expect(CANONICAL_FIELDS.every((field) => Object.hasOwn(once, field))).toBe(true);
        const size = (value: unknown) => JSON.stringify(value).length;
        // A cell can be there three times: as a value, as an original and as what could not be read.
        expect(size(once)).toBeLessThan(6 * size(data) + 1_000);
      }),
      runs,
    );
  });
});
