import { describe, expect, it } from "vitest";

import type { ColumnProfile } from "../step";
import { sampleRecords } from "../../../testing/sample-records";
import { columnsOf } from "../../../testing/run-step";
import { normalizeCompany } from ".";
import { CompanyNormalizer } from "./normalizer";
import { KNOWN_HEADERS } from "./source-fields";

type Row = Record<string, unknown>;

/** The records whose output changes when the step runs on it, with the first and the second output. */
function changed(
  rows: readonly Row[],
  config: unknown,
  columns: readonly ColumnProfile[] = [],
): { row: Row; once: Row; twice: Row }[] {
  const normalizer = new CompanyNormalizer(normalizeCompany.configSchema.parse(config), columns);
  return rows
    .map((row) => ({ row, once: normalizer.normalize(row) }))
    .map(({ row, once }) => ({ row, once, twice: normalizer.normalize(once) }))
    .filter(({ once, twice }) => JSON.stringify(once) !== JSON.stringify(twice));
}

const configs = [
  {},
  { other_fields: "keep", employees_range: "midpoint", default_phone_country: "DE", require_any_of: [] },
  { other_fields: "drop", employees_range: "null", fix_case: false, normalize_legal_form: false },
  { fix_case: "always" },
];

const known: Row[] = [
  { company: "ebay inc", website: "ebay.com", email: "Jane <jane@ebay.com>", phone: "+1 212 555 0100 ext. 7" },
  { name: "株式会社トヨタ", phone: "call us", country: "Congo", _unparsed: { before: "x" } },
  { "E-mail": "office@acme.de", Email: "jane@gmail.com" },
  { NAME: "B", Name: "A", email_original: "x", Email: "a@b.de", EMAIL: "c@d.de" },
  { name: "MÃƒÂ¼nchen", industry: "â‚¬\u00a0 ", city: "Ã\u200b¼" },
  { name: "é¼a.s.", city: "ﬁ &lt; ß" },
  { name: "® NA", company: "Acme" },
  { name: "* unknown", Name: ["x"] },
  { email: "jane@gmail.com500+<x@y.de>GmbH" },
  { domain: "http://http://a.deAG<x@y.de>", mail: "http://http://a.deAG<x@y.de>" },
  { website: "www.wixsite.com?utm_source=x", url: "https://facebook.com/?fbclid=1" },
  { phone: "030 1234567 / 68", country: "DE" },
  { name: "Clarice Example", company_name: "Acme Inc", email: "clarice@acme.com" },
  { name: "Clarice Example", company_name: "", email: "clarice@acme.com", "First Name": "Clarice" },
  { name: '="=""Acme"""', phone: "'030 1234567", country: '="DE"', industry: "&amp;#39;IT" },
  { name: "'Acme &amp;amp;eacute; Stra&szligen", city: "IZMİR", country: "TR" },
  { name: "IŞIK", country: "TR" },
  { Company: "AGCO", "Account Name": "Other", Website: "acme.en.alibaba.com", Email: "none@none.com" },
  { email: "mike.o neal@oneal.com", Phone: "(800) 200-TAXI", Country: "US" },
];

/** Typical and difficult parts of cells in exports. */
// prettier-ignore
const pieces = [
  "MÃ¼nchen", "MÃƒÂ¼nchen", "Ã", "¼", "â‚¬", "é", "e\u0301", "\u0308", "½", "²", "İstanbul", "ß", "ﬁ", "ＯＶＨ", "株式会社",
  "\u200b", "\u00a0", "\u00ad", "\u202e", "\u0000", "\ud83d", "\n", "\t", "“", "”", "'", '"', "`", "&amp;", "&amp;quot;",
  "&lt;", "&#39;", "™", "®", "*", "+", "&", "/", "(", ")", ",", ";", "|", "-", "--", "n/a", "NA", "na", "unknown", "GmbH",
  "gmbh & co. kg", "ACME", "acme", "Inc", "as", "A/S", "S.A.", "s.r.o.", "Ltd.", "limited", "co", "AG", "(AG)", "a.s.",
  "OY AB", "- GmbH", "GmbH,", "O'REILLY", "mcdonald's", "1st", "24SEVEN", "Dr.", "ST.", "von", "THE", "DE", "Deutschland",
  "(Germany)", "Congo", "51-200", "10k", "ca. 50", "1,200", "12.0", "500+", "030 1234567", "+49 30 1234567", "ext. 7", "x12",
  "info@acme.de", "jane@gmail.com", "mailto:a@b.de", "<x@y.de>", "acme.de", "https://acme.wordpress.com/x",
  "facebook.com/acme", "www.wixsite.com", "http://http://a.de", "?utm_source=x",
];
const headers = [
  ...Object.values(KNOWN_HEADERS).flatMap((sources) => sources.slice(0, 4)),
  ...["NAME", "Name", "E-mail", "EMAIL", "Tel.", "City ", "name_original", "email_original", "Notes", "", "__proto__"],
];
const oddities: unknown[] = [null, 7, -0, 1e21, true, ["x"], { a: 1 }, "x".repeat(1_001)];

/** The same numbers each time (mulberry32), so that a failure can be repeated. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function madeUp(count: number, seed: number): Row[] {
  const number = numbers(seed);
  const pick = <Item>(list: readonly Item[]) => list[number(list.length)] as Item;
  const several = <Item>(most: number, item: () => Item) => Array.from({ length: 1 + number(most) }, item);
  const value = () => (number(8) === 0 ? pick(oddities) : several(4, () => pick(pieces)).join(pick(["", " "])));
  return Array.from({ length: count }, () => Object.fromEntries(several(8, () => [pick(headers), value()])));
}

describe.each(configs)("the step on its own output, with %j", (config) => {
  it("changes no record that is known to be difficult", () => {
    expect(changed(known, config)).toEqual([]);
  });

  it("changes nothing in the samples", () => {
    const rows = sampleRecords();
    expect(rows).toHaveLength(585 + 242);
    expect(changed(rows, config)).toEqual([]);
  });

  it("changes nothing in the samples when their columns are known", () => {
    const rows = sampleRecords();
    const columns = columnsOf(rows).map((column) => ({ ...column, capitals: column.filled }));
    expect(changed(rows, config, columns)).toEqual([]);
  });

  it("changes nothing in records made of odd pieces", () => {
    expect(changed(madeUp(600, 4), config)).toEqual([]);
  });
});
