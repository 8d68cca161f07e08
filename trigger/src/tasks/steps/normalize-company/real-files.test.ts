import { describe, expect, it } from "vitest";

import { asRecords, columnsOf, inChunks, runStep } from "../../../testing/run-step";
import { dedupeRecords } from "../dedupe-records";
import { normalizeCompany } from ".";

type Row = Record<string, string>;

/** A file through both steps with their defaults: the kept records by their rows, and the rows that were dropped. */
async function clean(rows: Row[]) {
  const normalized = await runStep(normalizeCompany, {}, inChunks(asRecords(rows)), { columns: columnsOf(rows) });
  const { records, dropped } = await runStep(dedupeRecords, {}, inChunks(normalized.records));
  return {
    kept: Object.fromEntries(records.map(({ id, data }) => [id, data])),
    dropped: dropped.map(({ id }) => id),
    warnings: normalized.warnings,
  };
}

const rowsOf = (headers: string[], ...lines: string[][]): Row[] =>
  lines.map((line) => Object.fromEntries(headers.map((header, index) => [header, line[index] ?? ""])));

describe("a file that somebody reported", () => {
  it("has addresses with apostrophes kept whole, and none made of a half", async () => {
    const { kept } = await clean(
      rowsOf(
        ["email"],
        ["mike.o'neal@oneal-roofing.com"],
        ["mike.o^neal@oneal-roofing.com"],
        ["mike.o neal@oneal-roofing.com"],
        ["mike@oneal-roofing.com;"],
        ["mike.@oneal-roofing.com"],
        ["mike@oneal.email"],
      ),
    );
    expect(Object.values(kept)).toMatchObject(
      [
        { email: "mike.o'neal@oneal-roofing.com" },
        { email: "mike.o^neal@oneal-roofing.com" },
        { email: null, domain: "oneal-roofing.com", _unparsed: { email: "mike.o neal@oneal-roofing.com" } },
        { email: "mike@oneal-roofing.com" },
        { email: null, _unparsed: { email: "mike.@oneal-roofing.com" } },
        { email: "mike@oneal.email" },
      ].filter((_, index) => Object.hasOwn(kept, String(index + 1))),
    );
  });

  it("keeps the companies of a group, which share a domain", async () => {
    const { kept, dropped } = await clean(
      rowsOf(
        ["companyName", "country", "city", "website"],
        ["Andritz AG", "Österreich", "Graz", "andritz.com"],
        ["Andritz Kaiser GmbH", "Deutschland", "Bretten", "andritz.com"],
        ["ANDRITZ Laroche SAS", "Frankreich", "Cours", "andritz.com"],
        ["Andritz Hydro AS", "Norwegen", "Jevnaker", "andritz.com"],
      ),
    );
    expect([Object.keys(kept).length, dropped]).toEqual([4, []]);
  });

  it("merges nothing by addresses that stand for none", async () => {
    const { kept, dropped } = await clean(
      rowsOf(
        ["Company", "Country", "Email"],
        ["Harbor Dental", "US", "noemail@noemail.com"],
        ["Ridge Roofing", "US", "noemail@noemail.com"],
        ["Lake Bakery", "US", "none@none.com"],
        ["Oak Lawyers", "US", "none@none.com"],
        ["Elm Vets", "US", "test@test.com"],
        ["Fir Motors", "US", "a@a.com"],
        ["Bay Cafe", "US", "b@a.com"],
      ),
    );
    expect(dropped).toEqual([]);
    for (const data of Object.values(kept)) expect(data).toMatchObject({ domain: null, email: null });
  });

  it("has brands in capitals as they are written", async () => {
    const names = ["AGCO", "AECOM", "HEICO", "IDEX", "TEGNA", "ASGN", "SPX FLOW"];
    const { kept } = await clean(
      names.map((company) => ({ company, Website: `https://www.${company.toLowerCase().replace(" ", "")}.com` })),
    );
    expect(Object.values(kept).map(({ name }) => name)).toEqual(names);
  });

  it("has HTML's entities read", async () => {
    const { kept } = await clean(
      rowsOf(
        ["company", "Country"],
        ["Peter Kiewit Sons&#8217;", "US"],
        ["O&#039;Neil &amp; Sons", "US"],
        ["Caf&eacute; Central", "FR"],
        ["Dun &#38; Partners", "US"],
        ["Stra&szlig;enbau Nord", "DE"],
      ),
    );
    expect(Object.values(kept).map(({ name }) => name)).toEqual([
      "Peter Kiewit Sons'",
      "O'Neil & Sons",
      "Café Central",
      "Dun & Partners",
      "Straßenbau Nord",
    ]);
  });

  it("has the first number of each cell with a remark", async () => {
    const cells: [country: string, phone: string, number: string][] = [
      ["SE", "070 123 45 67 (Axel)", "+46701234567"],
      ["GB", "020 7946 0123 Mon-Fri 9-5", "+442079460123"],
      ["US", "(202) 667-1758 Press 2", "+12026671758"],
      ["FR", "01 23 45 67 89 poste 12", "+33123456789"],
      ["DE", "030 1234567 (Zentrale)", "+49301234567"],
      ["US", "202-555-0143\n202-555-0144", "+12025550143"],
      ["US", "202-555-0143 ::: 202-555-0144", "+12025550143"],
      ["US", "202-555-0143 & 202-555-0144", "+12025550143"],
      ["US", "(202) 797-8806 xt 2109", "+12027978806"],
      ["US", "W: 202-555-0143 M: 202-555-0144", "+12025550143"],
    ];
    const { kept } = await clean(cells.map(([Country, Phone], row) => ({ Company: `Company ${row}`, Country, Phone })));
    expect(Object.values(kept).map(({ phone }) => phone)).toEqual(cells.map(([, , number]) => number));
  });

  it("has the company's name where a person's stands beside it", async () => {
    const { kept, dropped } = await clean(
      rowsOf(
        ["id", "name", "email", "identifier", "phone_number", "ip_address", "company_name"],
        ["1", "Clarice Example", "clarice@acme.com", "acme-1", "+918080808080", "1.2.3.4", "Acme Inc"],
        ["2", "Marieann Example", "marieann@acme.com", "acme-2", "+918080808081", "1.2.3.4", "Acme Inc"],
        ["3", "Ole Example", "ole@globex.com", "globex-1", "+918080808082", "1.2.3.4", "Globex"],
      ),
    );
    expect(Object.values(kept)).toMatchObject([{ name: "Acme Inc." }, { name: "Globex" }]);
    expect(dropped).toEqual(["2"]);
  });

  it("has the country of EspoCRM's column, and so the phone number", async () => {
    const { kept } = await clean(
      rowsOf(
        ["name", "website", "emailAddress", "phoneNumber", "billingAddressCity", "billingAddressCountry", "industry"],
        ["Acme Inc", "acme.com", "jo@acme.com", "(202) 555-0143", "Boston", "USA", "Retail"],
      ),
    );
    expect(kept["1"]).toMatchObject({ country: "US", city: "Boston", phone: "+12025550143", email: "jo@acme.com" });
  });

  it("has the text inside the guards of a spreadsheet", async () => {
    const { kept } = await clean(
      rowsOf(
        ["Company", "Country", "Phone", "Website"],
        ['="Acme Inc"', '="US"', '="2025550143"', '="acme.com"'],
        ['="Globex"', '="US"', '="2025550144"', '="globex.com"'],
      ),
    );
    expect(kept["1"]).toMatchObject({ name: "Acme Inc.", phone: "+12025550143", website: "https://acme.com" });
    expect(kept["2"]).toMatchObject({ name: "Globex", country: "US", domain: "globex.com" });
    expect(kept["2"]).not.toHaveProperty("_unparsed");
  });

  it("has the countries of German drop-down lists", async () => {
    const { kept } = await clean(
      rowsOf(["Firma", "Land"], ["Acme s.r.o.", "Slowakische Republik"], ["Beta s.r.o.", "Slowakei"]),
    );
    expect(Object.values(kept)).toMatchObject([{ country: "SK" }, { country: "SK" }]);
  });
});
