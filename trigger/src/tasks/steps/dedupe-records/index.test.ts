import { describe, expect, it } from "vitest";

import { asRecords, inChunks, runStep } from "../../../testing/run-step";
import { dedupeRecords } from ".";

type Row = Record<string, unknown>;

function dedupe(rows: Row[], config: unknown = {}, chunkSize = 1_000) {
  return runStep(dedupeRecords, config, inChunks(asRecords(rows), chunkSize));
}

/** Each dropped row with the row it duplicates. */
async function pairs(rows: Row[], config: unknown = {}): Promise<Record<string, unknown>> {
  const { dropped } = await dedupe(rows, config);
  return Object.fromEntries(dropped.map(({ id, details }) => [id, details?.["duplicate_of"]]));
}

const byDomain = { match_on: [["domain"]] };
const byName = { match_on: [["name"]] };
const byDomainOrName = { match_on: [["domain"], ["name", "country"]] };

describe("dedupe-records", () => {
  it("drops a record with the domain of another one, and names the record that it duplicates", async () => {
    const { records, dropped, rejected } = await dedupe([
      { domain: "acme.com", name: "Acme" },
      { domain: "bolt.com" },
      { domain: "ACME.com " },
    ]);
    expect(records.map(({ id }) => id)).toEqual(["1", "2"]);
    expect(dropped).toEqual([
      {
        id: "3",
        reason: "duplicate",
        message: "The record is the same as record 1.",
        details: { duplicate_of: "1", matched_on: [["domain"]], direct: true, group_size: 2, differs_in: [] },
      },
    ]);
    expect(rejected).toEqual([]);
  });

  it("needs all fields of a list to be equal, and any one list to match", async () => {
    const rows = [
      { name: "Acme", country: "DE" },
      { name: "Acme", country: "US" },
      { name: "acme", country: "de", domain: "acme.de" },
      { name: "Other", country: "DE", domain: "acme.de" },
    ];
    expect(await pairs(rows, byDomainOrName)).toEqual({ 1: "3", 4: "3" });
  });

  it("chains matches, and tells a link of the chain from a direct match", async () => {
    const rows = [
      { name: "A", country: "DE", domain: "a.com", phone: "1", city: "Berlin" },
      { name: "B", country: "DE", domain: "a.com" },
      { name: "B", country: "DE", domain: "b.com" },
    ];
    const { dropped } = await dedupe(rows, byDomainOrName);
    expect(dropped.map(({ id, details }) => [id, details])).toEqual([
      ["2", { duplicate_of: "1", matched_on: [["domain"]], direct: true, group_size: 3, differs_in: ["name"] }],
      [
        "3",
        {
          duplicate_of: "1",
          matched_on: [["name", "country"]],
          direct: false,
          group_size: 3,
          differs_in: ["name", "domain"],
        },
      ],
    ]);
  });

  it("joins two groups that a later record connects", async () => {
    const rows = [
      { domain: "a.com" },
      { name: "A", country: "DE" },
      { name: "A", country: "DE" },
      { domain: "a.com", name: "A", country: "DE", phone: "1" },
    ];
    expect(await pairs(rows)).toEqual({ 1: "4", 2: "4", 3: "4" });
  });

  it.each<[string, Row]>([
    ["missing", {}],
    ["null", { domain: null }],
    ["blank", { domain: "  " }],
    ["an object", { domain: { a: 1 } }],
    ["a list", { domain: ["acme.com"] }],
  ])("never matches on a value that is %s", async (_, row) => {
    expect(await pairs([row, { ...row }], byDomain)).toEqual({});
  });

  it.each<[string, Row, Row, boolean, unknown]>([
    ["case and white space", { name: "ACME  Rockets " }, { name: "Acme Rockets" }, true, {}],
    ["full-width letters", { name: "ＡＣＭＥ" }, { name: "acme" }, true, {}],
    ["accents as text", { name: "Müller" }, { name: "Muller" }, false, {}],
    ["legal forms as text", { name: "Acme GmbH" }, { name: "Acme" }, false, {}],
    [
      "accents, punctuation and legal form as company_name",
      { name: "Müller & Söhne GmbH" },
      { name: "MULLER AND SOHNE" },
      true,
      { name: "company_name" },
    ],
    [
      "the first word as company_name",
      { name: "Acme Rockets" },
      { name: "Bolt Rockets" },
      false,
      { name: "company_name" },
    ],
    ["case as exact", { name: "Acme" }, { name: "acme" }, false, { name: "exact" }],
    ["a number and its digits", { name: 42 }, { name: "42" }, true, {}],
    ["names of signs as company_name", { name: "+++" }, { name: "***" }, false, { name: "company_name" }],
  ])("compares %s", async (_, a, b, same, compareAs) => {
    expect(await pairs([a, b], { ...byName, compare_as: compareAs })).toEqual(same ? { 2: "1" } : {});
  });

  it("does not confuse two fields with two others whose joined text is the same", async () => {
    const rows = [
      { a: "x", b: "y z" },
      { a: "x y", b: "z" },
      { a: 'x","y', b: "z" },
      { a: "x", b: 'y","z' },
    ];
    expect(await pairs(rows, { match_on: [["a", "b"]] })).toEqual({});
  });

  it("keeps the record with the most filled fields, without counting notes and empty values", async () => {
    const rows = [
      { domain: "a.com", phone: null, city: "", tags: [], _unparsed: { a: 1, b: 2 }, _x: 1, _y: 2 },
      { domain: "a.com", phone: "1" },
    ];
    expect(await pairs(rows)).toEqual({ 1: "2" });
  });

  it("keeps the lowest row of equally complete records, compared as numbers and not as text", async () => {
    const records = ["10", "9", "17.10", "17.2"].map((id) => ({ id, data: { domain: "a.com" } }));
    const { dropped } = await runStep(dedupeRecords, {}, [records]);
    expect(dropped.map(({ details }) => details?.["duplicate_of"])).toEqual(["9", "9", "9"]);
    const children = await runStep(dedupeRecords, {}, [records.slice(2)]);
    expect(children.records.map(({ id }) => id)).toEqual(["17.2"]);
  });

  it.each([
    ["first", { 2: "1", 3: "1" }],
    ["last", { 1: "3", 2: "3" }],
    ["most_complete", { 1: "2", 3: "2" }],
  ])("keeps the %s record if the config says so", async (keep, expected) => {
    expect(
      await pairs([{ domain: "a.com" }, { domain: "a.com", phone: "1" }, { domain: "a.com" }], { ...byDomain, keep }),
    ).toEqual(expected);
  });

  it("leaves the kept record unchanged unless the config says to merge", async () => {
    const { records } = await dedupe([
      { domain: "a.com", name: "A", phone: null },
      { domain: "a.com", phone: "1" },
    ]);
    expect(records.map(({ data }) => data)).toEqual([{ domain: "a.com", name: "A", phone: null }]);
  });

  it("fills missing fields from the most complete duplicate that has them and names their rows", async () => {
    const rows = [
      { domain: "a.com", city: "Bonn", phone: "3", _note: "mine" },
      { domain: "a.com", name: "A", phone: null, country: "DE", employees: 0, x: 1 },
      { domain: "a.com", city: "Berlin", phone: "1", industry: "IT" },
      { domain: "b.com" },
    ];
    const { records, dropped } = await dedupe(rows, { ...byDomain, merge: "fill_missing" }, 2);
    expect(dropped.map(({ id }) => id)).toEqual(["1", "3"]);
    expect(JSON.stringify(records)).toBe(
      JSON.stringify([
        {
          id: "2",
          data: {
            domain: "a.com",
            name: "A",
            phone: "1",
            country: "DE",
            employees: 0,
            x: 1,
            city: "Berlin",
            industry: "IT",
            _filled_from: { city: "3", industry: "3", phone: "3" },
          },
        },
        { id: "4", data: { domain: "b.com" } },
      ]),
    );
  });

  it.each(["none", "fill_missing"])("gives the same result for chunks of any size (merge: %s)", async (merge) => {
    const rows = Array.from({ length: 500 }, (_, row) => ({
      domain: `d${(row * 7) % 90}.com`,
      name: `n${(row * 3) % 200}`,
      country: "DE",
      ...(row % 3 === 0 && { [`f${row % 5}`]: row }),
    }));
    const whole = await dedupe(rows, { ...byDomainOrName, merge });
    const pieces = await dedupe(rows, { ...byDomainOrName, merge }, 7);
    expect(JSON.stringify(pieces)).toBe(JSON.stringify(whole));
    expect(whole.dropped.length).toBeGreaterThan(300);
    expect(whole.records.length + whole.dropped.length).toBe(500);
  });

  describe("by default", () => {
    const d = "acme.com";

    it.each<[string, Row, Row, boolean]>([
      ["the same domain and nothing else", { domain: d }, { domain: d }, true],
      ["a domain, of which one has a name", { domain: d, name: "Acme" }, { domain: d }, true],
      [
        "a domain and names with different legal forms",
        { domain: d, name: "Acme GmbH" },
        { domain: d, name: "ACME" },
        true,
      ],
      ["a form before the name", { domain: d, name: "UAB Acme" }, { domain: d, name: "Acme, UAB" }, true],
      ["a form that the country tells", { domain: d, name: "Acme AS" }, { domain: d, name: "Acme a.s." }, true],
      ["accents and signs", { domain: d, name: "Škoda & Söhne" }, { domain: d, name: "SKODA AND SOHNE" }, true],
      ["a Company behind the name", { domain: d, name: "Acme Motor Company" }, { domain: d, name: "Acme Motor" }, true],
      ["own scripts", { domain: d, name: "株式会社トヨタ" }, { domain: d, name: "トヨタ株式会社" }, true],
      ["a domain and a part of the name", { domain: d, name: "Andritz" }, { domain: d, name: "Andritz Hydro" }, false],
      ["a domain and other names", { domain: d, name: "Acme" }, { domain: d, name: "Bolt" }, false],
      [
        "a domain and other countries",
        { domain: d, name: "Acme", country: "DE" },
        { domain: d, name: "Acme", country: "AT" },
        false,
      ],
      ["a domain and a country", { domain: d, country: "DE" }, { domain: d, name: "Acme", country: "DE" }, true],
      ["name and country", { name: "Acme", country: "DE" }, { name: "acme", country: "DE" }, true],
      ["a name alone", { name: "Acme" }, { name: "Acme" }, false],
    ])("two records with %s", async (_, a, b, same) => {
      expect(Object.keys(await pairs([a, b])).length).toBe(same ? 1 : 0);
    });

    it("leaves a record apart that could be a duplicate of two that contradict each other", async () => {
      const rows = [
        { domain: d, name: "Acme", country: "DE" },
        { domain: d, name: "Bolt", country: "DE" },
        { domain: d },
        { domain: d, country: "DE" },
        { domain: d, name: "acme", country: "DE" },
      ];
      expect(await pairs(rows)).toEqual({ 5: "1" });
    });

    it("never chains two that contradict each other, whatever stands between them", async () => {
      const names = ["Acme", "Bolt", null];
      const countries = ["DE", "AT", null];
      const all = names.flatMap((name) => countries.map((country) => ({ domain: d, name, country })));
      for (let seed = 1; seed < 200; seed++) {
        const rows = all.filter((_, index) => ((seed * 2_654_435_761) >>> (index + 5)) & 1);
        const { dropped } = await dedupe([...rows, ...rows], { keep: "first" });
        const groups = new Map<string, Row[]>();
        const rowOf = (id: string) => [...rows, ...rows][Number(id) - 1] ?? {};
        for (const { id, details } of dropped) {
          const winner = String(details?.["duplicate_of"]);
          groups.set(winner, [...(groups.get(winner) ?? [rowOf(winner)]), rowOf(id)]);
        }
        for (const members of groups.values()) {
          for (const field of ["name", "country"])
            expect(new Set(members.map((row) => row[field]).filter((value) => value !== null)).size).toBeLessThan(2);
        }
      }
    });

    it("compares what must agree as told", async () => {
      const rows = [
        { domain: d, name: "Acme GmbH" },
        { domain: d, name: "Acme" },
      ];
      expect(await pairs(rows, { compare_as: { name: "text" } })).toEqual({});
    });
  });

  describe("a value that many share", () => {
    const agencies = Array.from({ length: 494 }, (_, row) => ({
      domain: "dc.gov",
      name: `Agency ${row}`,
      country: "US",
    }));

    it("is no key: its records stay, and a warning says so", async () => {
      const { records, dropped, warnings } = await dedupe(
        [...agencies, { domain: "a.com" }, { domain: "a.com" }],
        byDomain,
      );
      expect([records.length, dropped.length]).toEqual([495, 1]);
      expect(warnings).toEqual([
        {
          code: "group_too_large",
          message: expect.stringContaining("10"),
          details: {
            max_group: 10,
            group_count: 1,
            record_count: 494,
            groups: [{ fields: ["domain"], values: ["dc.gov"], records: 494, first_record: "1" }],
          },
        },
      ]);
    });

    it("is one up to max_group", async () => {
      const eleven = Array.from({ length: 11 }, () => ({ domain: "a.com" }));
      expect((await dedupe(eleven, byDomain)).dropped).toEqual([]);
      expect((await dedupe(eleven.slice(1), byDomain)).dropped.length).toBe(9);
      const allowed = await dedupe(eleven, { ...byDomain, max_group: 11 });
      expect([allowed.dropped.length, allowed.warnings]).toEqual([10, []]);
    });

    it("does not keep records apart that another list matches", async () => {
      const rows = agencies.map((row, index) => ({ ...row, name: `Agency ${index >> 1}` }));
      expect((await dedupe(rows)).dropped.length).toBe(247);
    });

    it("is listed within the bytes of a warning", async () => {
      const rows = Array.from({ length: 600 }, (_, row) => ({
        a: `${row % 30}${"ß".repeat(300)}`,
        b: `${row % 30}"\n`,
      }));
      const { warnings } = await dedupe(rows, { match_on: [["a"], ["b"], ["a", "b"]] });
      expect(warnings.length).toBe(1);
      expect(Buffer.byteLength(JSON.stringify(warnings[0]?.details))).toBeLessThan(4_000);
      expect(warnings[0]?.details["group_count"]).toBe(90);
    });
  });

  it("says of a dropped record how large its group is and where it differs from the kept one", async () => {
    const { dropped } = await dedupe(
      [
        { domain: "a.com", name: "Acme GmbH", phone: "1", city: "Bonn", tags: ["x"], _note: "y" },
        { domain: "a.com", name: "Acme", phone: "1", city: null, tags: ["z"], email: "a@a.com" },
        { domain: "A.com", name: "ACME", phone: "2", city: " bonn", tags: ["x"] },
      ],
      { keep: "first" },
    );
    expect(dropped.map(({ details }) => details)).toMatchObject([
      { group_size: 3, differs_in: ["name", "tags"] },
      { group_size: 3, differs_in: ["name", "phone"] },
    ]);
  });

  it("handles fields and values with the names of built-in properties", async () => {
    const rows = [{ constructor: "__proto__" }, { constructor: "__proto__" }, JSON.parse('{"__proto__": "a"}') as Row];
    expect(
      await pairs(rows, { match_on: [["constructor"], ["__proto__"]], compare_as: { toString: "exact" } }),
    ).toEqual({ 2: "1" });
  });

  it("stops when the run is cancelled", async () => {
    const aborted = AbortSignal.abort(new Error("cancelled"));
    const readInput = async function* () {
      yield await Promise.resolve({ chunkIndex: 0, records: asRecords([{}]), passing: [] });
    };
    await expect(
      dedupeRecords.prepareBatch?.({
        config: dedupeRecords.configSchema.parse({}),
        signal: aborted,
        warn: () => undefined,
        readInput,
      }),
    ).rejects.toThrow("cancelled");
  });

  it("handles 100,000 records in one chain", async () => {
    const rows = Array.from({ length: 100_000 }, (_, row) => ({
      domain: `d${row >> 1}.com`,
      name: `n${(row + 1) >> 1}`,
      country: "DE",
    }));
    const { records, dropped } = await dedupe(rows, byDomainOrName);
    expect([records.length, dropped.length]).toEqual([1, 99_999]);
  }, 60_000);

  it.each([
    { match_on: [] },
    { match_on: [[]] },
    { match_on: ["domain"] },
    { compare_as: { name: "fuzzy" } },
    { keep: "best" },
    { key: "domain" },
    { match_on: [{ equal: ["domain"] }] },
    { match_on: [{ equal: [], agree: ["name"] }] },
    { max_group: 1 },
  ])("refuses the config %j", (config) => {
    expect(dedupeRecords.configSchema.safeParse(config).success).toBe(false);
  });
});
