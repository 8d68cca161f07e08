import { describe, expect, it } from "vitest";

import { asRecords, columnsOf, inChunks, runStep } from "../../../testing/run-step";
import { dedupeRecords } from "../dedupe-records";
import { normalizeCompany } from ".";

type Row = Record<string, unknown>;

function normalize(rows: Row[], config: unknown = {}) {
  return runStep(normalizeCompany, config, inChunks(asRecords(rows)));
}

async function one(row: Row, config: unknown = {}): Promise<Row> {
  const { records } = await normalize([row], config);
  return records[0]?.data ?? {};
}

const hubspot = {
  "Company name": "  ACME ROCKETS gmbh",
  "Company Domain Name": "https://WWW.Acme-Rockets.de/",
  "Phone Number": "030 1234567",
  "Country/Region": "Deutschland",
  City: "BERLIN",
  "Number of Employees": "51-200",
  Industry: " Aerospace ",
  "Record ID": "  0042 ",
};

describe("normalize-company", () => {
  it("maps the headers of a usual export to all canonical fields, in their order, before the record's other fields", async () => {
    const data = await one(hubspot);
    expect(JSON.stringify(data)).toBe(
      JSON.stringify({
        name: "ACME ROCKETS GmbH",
        domain: "acme-rockets.de",
        website: null,
        email: null,
        phone: "+49301234567",
        phone_extension: null,
        country: "DE",
        city: "Berlin",
        employees: 51,
        industry: "Aerospace",
        "Record ID": "0042",
        _original: { "Company name": "  ACME ROCKETS gmbh", City: "BERLIN" },
        _unparsed: { "Number of Employees": "51-200" },
      }),
    );
  });

  it("gives byte-identical output for the same input, whatever else is in the chunk", async () => {
    const alone = await one(hubspot);
    const { records } = await normalize([{ Name: "Other" }, hubspot, hubspot]);
    expect(JSON.stringify(records[1]?.data)).toBe(JSON.stringify(alone));
    expect(JSON.stringify(records[2]?.data)).toBe(JSON.stringify(alone));
  });

  it.each(["", "   ", "n/a", "N/A", "-", "null", "NULL", "none", "#N/A", "unknown", null, undefined])(
    "reads %j as no value",
    async (blank) => {
      expect(
        await one({ name: "Acme", website: blank, phone: blank, country: blank, employees: blank, note: blank }),
      ).toMatchObject({
        website: null,
        phone: null,
        country: null,
        employees: null,
        note: blank === undefined ? undefined : null,
      });
      expect(await one({ name: "Acme", website: blank })).not.toHaveProperty("_unparsed");
    },
  );

  it("reads NA as Namibia in the country and as nothing elsewhere", async () => {
    expect(await one({ name: "Acme", country: "NA", city: "NA" })).toMatchObject({ country: "NA", city: null });
    expect(await one({ name: "Acme", country: "na" })).toMatchObject({ country: null });
  });

  it("keeps a value that it cannot read under its original header, and leaves the field null", async () => {
    expect(
      await one({
        Name: "Acme",
        "Phone Number": "call reception",
        Website: "see brochure",
        Country: "Congo",
        Employees: "many",
      }),
    ).toMatchObject({
      phone: null,
      website: null,
      country: null,
      employees: null,
      _unparsed: { "Phone Number": "call reception", Website: "see brochure", Country: "Congo", Employees: "many" },
    });
  });

  it("keeps the original beside a value that says less", async () => {
    expect(await one({ name: "Acme", email: "a@acme.com; b@acme.com" })).toMatchObject({
      email: "a@acme.com",
      _unparsed: { email: "a@acme.com; b@acme.com" },
    });
  });

  it.each([
    ["its own field", { domain: "acme.com", website: "other.com", email: "x@third.com" }, "acme.com"],
    ["the website", { website: "https://www.acme.com/about", email: "x@third.com" }, "acme.com"],
    ["the e-mail address", { email: "info@acme.com" }, "acme.com"],
    ["an e-mail address in the website column", { website: "info@acme.com" }, "acme.com"],
    ["the website when its own field is a mail provider's", { domain: "gmail.com", website: "acme.com" }, "acme.com"],
    [
      "the e-mail address when the website is a page on a platform",
      { website: "https://facebook.com/acme", email: "info@acme.com" },
      "acme.com",
    ],
    ["nowhere when there are only mail providers", { website: "gmail.com", email: "acme@yahoo.de" }, null],
  ])("takes the domain from %s", async (_, row: Row, expected) => {
    expect(await one({ name: "Acme", ...row })).toMatchObject({ domain: expected });
  });

  it("gives companies at one website builder different domains, so that none is taken for a duplicate", async () => {
    const { records } = await normalize([
      { name: "Bäckerei Eins", website: "https://baeckerei-eins.wordpress.com" },
      { name: "Zimmerei Zwei", website: "https://zimmerei-zwei.wordpress.com" },
      { name: "Dachdeckerei Drei", website: "wordpress.com/dachdeckerei-drei" },
      { name: "Elektro Vier", website: "wordpress.com/elektro-vier" },
    ]);
    const { dropped } = await runStep(dedupeRecords, {}, inChunks(records));
    expect([records.length, dropped]).toEqual([4, []]);
  });

  it("keeps a further website column when another one gave website and domain", async () => {
    const data = await one({ name: "Acme", website: "see brochure", url: "https://acme.com", homepage: "acme.de" });
    expect(data).toMatchObject({
      website: "https://acme.com",
      domain: "acme.com",
      homepage: "acme.de",
      _unparsed: { website: "see brochure" },
    });
  });

  it("reads a phone number in the record's country, then in the configured one", async () => {
    expect(
      await one({ name: "A", country: "Germany", phone: "030 1234567" }, { default_phone_country: "US" }),
    ).toMatchObject({ phone: "+49301234567" });
    expect(await one({ name: "A", phone: "(212) 555-0100" }, { default_phone_country: "US" })).toMatchObject({
      phone: "+12125550100",
      country: null,
    });
    expect(await one({ name: "A", phone: 493012345678, country: "DE" })).toMatchObject({ phone: "+493012345678" });
    expect(await one({ name: "A", phone: "+49 30 1234567 x 12" })).toMatchObject({
      phone: "+49301234567",
      phone_extension: "12",
    });
  });

  it.each([
    ["BERLIN", "Berlin"],
    ["new york", "New York"],
    ["FRANKFURT AM MAIN", "Frankfurt am Main"],
    ["WASHINGTON DC", "Washington DC"],
    ["ST. GALLEN", "St. Gallen"],
    ["København", "København"],
  ])("writes the town %s as %s", async (city, expected) => {
    expect(await one({ name: "A", city })).toMatchObject({ city: expected });
  });

  it("tries an org's own headers in the given order and leaves the rest of the record alone", async () => {
    const config = { fields: { name: ["Konto", "Firma 2"], industry: [] } };
    const data = await one({ konto: "n/a", FIRMA_2: "acme", name: "Jane", Industry: "x " }, config);
    expect(data).toMatchObject({ name: "acme", name_original: "Jane", Industry: "x" });
    expect(data).not.toHaveProperty("industry");
    expect(data).not.toHaveProperty("konto");
  });

  it("chooses between equal headers by their spelling, not by their place", async () => {
    const [one_, other] = [await one({ NAME: "B", Name: "A" }), await one({ Name: "A", NAME: "B" })];
    expect([one_["name"], other["name"]]).toEqual(["B", "B"]);
  });

  it("prefers the canonical spelling of a header to any other", async () => {
    expect(await one({ "E-mail": "office@acme.de", Email: "x@acme.de", email: "jane@acme.de" })).toMatchObject({
      email: "jane@acme.de",
      "E-mail": "office@acme.de",
      Email: "x@acme.de",
    });
  });

  it("repairs text that was decoded wrongly more than once", async () => {
    expect(
      await one({ name: "MÃƒÂ¼nchen Hotels", industry: "gÃ\u00a0teaux â‚¬", city: "\u00a0 Ã…land " }),
    ).toMatchObject({
      name: "München Hotels",
      industry: "gàteaux €",
      city: "Åland",
    });
  });

  it.each(["® NA", "* unknown", "n/a ™", '"-"'])(
    "reads the name %j as no value, and keeps the original",
    async (name) => {
      expect(await one({ name, domain: "acme.de" })).toMatchObject({ name: null, _unparsed: { name } });
    },
  );

  it("cleans, keeps or drops other fields as the config says", async () => {
    const row = { name: "A", note: " two\nlines ", empty: "n/a", nested: { a: " x " } };
    expect(await one(row)).toMatchObject({ note: "two\nlines", empty: null, nested: { a: " x " } });
    expect(await one(row, { other_fields: "keep" })).toMatchObject({ note: " two\nlines ", empty: "n/a" });
    expect(Object.keys(await one(row, { other_fields: "drop" }))).not.toContain("note");
  });

  describe("knows how a column writes its names", () => {
    const shouting = Array.from({ length: 20 }, (_, row) => ({ Company: `ROW ${row} ROCKETS GMBH`, Country: "DE" }));
    const normalizeFile = async (rows: Row[], config: unknown = {}) =>
      (await runStep(normalizeCompany, config, inChunks(asRecords(rows)), { columns: columnsOf(rows) })).records.map(
        ({ data }) => data,
      );

    it("and puts them into title case where nine of ten are in capitals, and keeps the originals", async () => {
      const [first, , third] = await normalizeFile([...shouting, { Company: "thyssenkrupp AG" }, { Company: "AGCO" }]);
      expect(first).toMatchObject({ name: "Row 0 Rockets GmbH", _original: { Company: "ROW 0 ROCKETS GMBH" } });
      expect(third).toMatchObject({ name: "Row 2 Rockets GmbH" });
    });

    it("and leaves those in it that are written otherwise, and brands", async () => {
      const rows = await normalizeFile([...shouting, { Company: "thyssenkrupp AG" }, { Company: "AGCO" }]);
      expect(rows.slice(-2)).toMatchObject([{ name: "thyssenkrupp AG" }, { name: "AGCO" }]);
      expect(rows.at(-1)).not.toHaveProperty("_original");
    });

    it("and leaves all where fewer are, or where nobody counted", async () => {
      const mixed = [...shouting, ...shouting.slice(0, 3).map(() => ({ Company: "Acme Rockets" }))];
      expect((await normalizeFile(mixed))[0]).toMatchObject({ name: "ROW 0 ROCKETS GmbH" });
      expect(await one({ Company: "DEUTSCHE BAHN AG" })).toMatchObject({ name: "DEUTSCHE BAHN AG" });
    });

    it("but not where it is told to fix each name, or none", async () => {
      expect(await one({ name: "DEUTSCHE BAHN AG" }, { fix_case: "always" })).toMatchObject({
        name: "Deutsche Bahn AG",
      });
      expect((await normalizeFile(shouting, { fix_case: false }))[0]).toMatchObject({ name: "ROW 0 ROCKETS GmbH" });
    });
  });

  it("keeps the original of a name and a town that it wrote otherwise, and of no other", async () => {
    expect(await one({ name: "Acme &amp; Sons Inc", city: "NEW YORK", note: "X" })).toMatchObject({
      name: "Acme & Sons Inc.",
      city: "New York",
      _original: { name: "Acme &amp; Sons Inc", city: "NEW YORK" },
    });
    expect(await one({ name: "  Acme   GmbH ", city: "Bonn" })).not.toHaveProperty("_original");
    expect(await one({ name: "ACME gmbh", _original: { name: "Earlier" } })).toMatchObject({
      _original: { name: "Earlier" },
    });
  });

  it("never takes a person's name for the company's", async () => {
    expect(await one({ name: "Clarice Example", email: "clarice@acme.com", company_name: "Acme Inc" })).toMatchObject({
      name: "Acme Inc.",
      name_original: "Clarice Example",
    });
    expect(await one({ Name: "Jane Doe", "First Name": "Jane", Email: "jane@acme.com" })).toMatchObject({
      name: null,
      Name: "Jane Doe",
    });
  });

  it("says which column became which field, the same in each chunk", async () => {
    const rows = [{ Company: "Acme", "E-Mail": "a@acme.de", Owner: "jo" }];
    const expected = [
      { name: "Company", field: "name" },
      { name: "E-Mail", field: "email" },
      { name: "Owner", field: null },
    ];
    const counted = await runStep(normalizeCompany, {}, inChunks(asRecords([...rows, ...rows]), 1), {
      columns: columnsOf(rows),
    });
    const seen = await runStep(normalizeCompany, {}, inChunks(asRecords([...rows, { Other: "x" }]), 1));
    expect([counted.columns, seen.columns]).toEqual([expected, expected]);
    expect([counted.warnings, seen.warnings]).toEqual([[], []]);
  });

  it("warns once when it knows no column", async () => {
    const rows = [{ foo: "Acme" }, { foo: "Bolt", bar: "1" }];
    for (const columns of [columnsOf(rows), []]) {
      const { warnings, columns: uses } = await runStep(
        normalizeCompany,
        { require_any_of: [] },
        inChunks(asRecords(rows), 1),
        { columns },
      );
      expect(warnings).toMatchObject([{ code: "no_column_recognised" }]);
      expect(uses.every(({ field }) => field === null)).toBe(true);
    }
    const wide = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`${index}${"😀".repeat(120)}`, 1]));
    const { warnings, columns } = await runStep(normalizeCompany, {}, inChunks(asRecords([wide])));
    expect(JSON.stringify(warnings[0]?.details).length).toBeLessThan(4_000);
    expect(columns.length).toBe(2_000);
  });

  it("rejects a record without name and domain, with the values that it could not read", async () => {
    const { records, rejected } = await normalize([
      { phone: "030 1", city: "Berlin" },
      { website: "acme.com" },
      { name: "---", website: "gmail.com" },
    ]);
    expect(records.map(({ id }) => id)).toEqual(["2"]);
    expect(rejected).toMatchObject([
      {
        id: "1",
        reason: "unidentifiable_company",
        details: { require_any_of: ["name", "domain"], unparsed: { phone: "030 1" } },
      },
      { id: "3", reason: "unidentifiable_company" },
    ]);
    expect((await normalize([{ city: "Berlin" }], { require_any_of: [] })).rejected).toEqual([]);
  });

  it.each<[string, Row]>([
    ["no fields", {}],
    [
      "an object, a list and a boolean where text should be",
      { name: { a: 1 }, phone: ["1"], website: true, country: 7, email: {}, employees: [] },
    ],
    [
      "a very long text",
      {
        name: "x".repeat(100_000),
        phone: "1".repeat(100_000),
        website: "a.".repeat(50_000),
        employees: "9".repeat(100_000),
        country: "é".repeat(100_000),
      },
    ],
    [
      "headers with the names of built-in properties",
      JSON.parse('{"__proto__": "x", "constructor": "y", "toString": "z", "name": "A"}') as Row,
    ],
    ["lone surrogates", { name: "\ud800 A", city: "\udfff", "\ud83d": "x" }],
    ["numbers beyond reason", { name: 1e308, phone: -0, employees: 1e21, country: Number.MAX_SAFE_INTEGER }],
    ["an odd _unparsed", { name: "A", phone: "?!", _unparsed: "text" }],
    ["empty headers", { "": "x", " ": "y", name: "A" }],
  ])("neither throws nor loses a record with %s", async (_, row) => {
    const { records, rejected } = await normalize([row]);
    expect(records.length + rejected.length).toBe(1);
  });

  it("keeps a header named __proto__ as a field of its own", async () => {
    const data = await one(JSON.parse('{"__proto__": "x", "name": "A"}') as Row);
    expect(Object.hasOwn(data, "__proto__")).toBe(true);
  });

  it.each([
    { unknown: 1 },
    { fields: { name: "Firma" } },
    { fields: { nom: [] } },
    { default_phone_country: "Germany" },
    { employees_range: "most" },
    { fix_case: "never" },
  ])("refuses the config %j", (config) => {
    expect(normalizeCompany.configSchema.safeParse(config).success).toBe(false);
  });
});
