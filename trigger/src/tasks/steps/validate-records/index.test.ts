import { describe, expect, it } from "vitest";

import { asRecords, inChunks, runStep } from "../../../testing/run-step";
import { validateRecords } from ".";

type Row = Record<string, unknown>;

function validate(schema: unknown, rows: Row[], rest: Row = {}) {
  return runStep(validateRecords, { schema, ...rest }, inChunks(asRecords(rows)));
}

const company = {
  type: "object",
  required: ["name", "country"],
  additionalProperties: false,
  properties: {
    name: { type: "string", minLength: 2 },
    country: { type: ["string", "null"], pattern: "^[A-Z]{2}$" },
    employees: { type: "integer", minimum: 0 },
    email: { type: "string", format: "email" },
    address: { type: "object", required: ["city"], properties: { city: { type: "string" } } },
    tags: { type: "array", items: { type: "string" } },
    "a/b~c": { type: "string" },
  },
};

describe("validate-records", () => {
  it("passes records that fit unchanged and in order, and rejects the others", async () => {
    const rows = [
      { name: "Acme", country: "DE" },
      { name: "A", country: "DE" },
      { country: null, name: "Bolt" },
    ];
    const { records, rejected, dropped } = await validate(company, rows);
    expect(records).toEqual([
      { id: "1", data: rows[0] },
      { id: "3", data: rows[2] },
    ]);
    expect(rejected.map(({ id, reason }) => [id, reason])).toEqual([["2", "schema_violation"]]);
    expect(dropped).toEqual([]);
  });

  it.each<[string, Row, { field: string; keyword: string; message: string }]>([
    ["a missing field", { name: "Acme" }, { field: "country", keyword: "required", message: "is missing" }],
    [
      "a missing field further in",
      { name: "Acme", country: "DE", address: {} },
      { field: "address.city", keyword: "required", message: "is missing" },
    ],
    [
      "a field too many",
      { name: "Acme", country: "DE", extra: 1 },
      { field: "extra", keyword: "additionalProperties", message: "is not allowed" },
    ],
    [
      "a wrong type",
      { name: "Acme", country: "DE", employees: "12" },
      { field: "employees", keyword: "type", message: "must be integer" },
    ],
    [
      "a pattern that does not match",
      { name: "Acme", country: "de" },
      { field: "country", keyword: "pattern", message: 'must match pattern "^[A-Z]{2}$"' },
    ],
    [
      "a format",
      { name: "Acme", country: "DE", email: "nobody" },
      { field: "email", keyword: "format", message: 'must match format "email"' },
    ],
    [
      "an item of a list",
      { name: "Acme", country: "DE", tags: ["a", 2] },
      { field: "tags.1", keyword: "type", message: "must be string" },
    ],
    [
      "a field with signs in its name",
      { name: "Acme", country: "DE", "a/b~c": 1 },
      { field: "a/b~c", keyword: "type", message: "must be string" },
    ],
  ])("names %s", async (_, row, error) => {
    const { rejected } = await validate(company, [row]);
    expect(rejected[0]).toMatchObject({
      reason: "schema_violation",
      message: `Field "${error.field}" ${error.message}.`,
      details: { errors: [error], error_count: 1 },
    });
  });

  it.each(["dependentRequired", "dependencies"])("names both fields of %s", async (keyword) => {
    const { rejected } = await validate({ [keyword]: { phone: ["country"] } }, [{ phone: "030 1" }]);
    const message = "must have property country when property phone is present";
    expect(rejected[0]?.details).toEqual({ errors: [{ field: "", keyword, message }], error_count: 1 });
  });

  it("lists as many errors as asked and counts the rest", async () => {
    const { rejected } = await validate(company, [{ a: 1, b: 2, c: 3 }], { max_errors: 2 });
    expect(rejected[0]?.message).toMatch(/\(and 4 more\)\.$/);
    expect(rejected[0]?.details).toMatchObject({ error_count: 5, errors: [{ field: "name" }, { field: "country" }] });
  });

  it("keeps the list short in bytes too", async () => {
    const { rejected } = await validate({ additionalProperties: false }, [{ ["x".repeat(100_000)]: 1 }]);
    expect(JSON.stringify(rejected[0]).length).toBeLessThan(2_000);
  });

  it.each<[string, unknown]>([
    ["an unknown type", { type: "text" }],
    ["a multiple of nothing", { properties: { a: { multipleOf: 0 } } }],
    ["a misspelt keyword", { type: "object", requierd: ["name"] }],
    ["$async, which would let every record pass", { $async: true, type: "object", required: ["name"] }],
    ["$async alone", { $async: true }],
    ["$async further in", { properties: { a: { $async: true, type: "string" } } }],
    ["$async behind a reference", { properties: { a: { $ref: "#/$defs/a" } }, $defs: { a: { $async: true } } }],
    ["nullable, which is OpenAPI's", { properties: { a: { type: "string", nullable: true } } }],
    ["an unknown format", { properties: { a: { format: "telephone" } } }],
    ["a reference to another place", { $ref: "https://example.com/schema.json" }],
    ["a reference to a file", { $ref: "file:///etc/passwd" }],
    ["a reference into nothing", { $ref: "#/$defs/missing" }],
    ["a reference to itself", { $ref: "#" }],
    ["a reference to a built-in property", { properties: { a: { $ref: "constructor" } } }],
    ["a field named __proto__, which would not be checked", JSON.parse('{"properties":{"__proto__":{"type":"null"}}}')],
    ["another draft", { $schema: "http://json-schema.org/draft-07/schema#" }],
    ["an invalid pattern", { properties: { a: { pattern: "(" } } }],
    ["a pattern with look-ahead", { properties: { a: { pattern: "^(?=.*a).*$" } } }],
    ["a pattern with a back-reference", { properties: { a: { pattern: "(a)\\1" } } }],
    ["more than 100,000 bytes", { description: "x".repeat(100_001) }],
  ])("is a final invalid_step_config with %s", async (_, schema) => {
    await expect(validate(schema, [{ a: "b" }])).rejects.toMatchObject({
      code: "invalid_step_config",
      retryable: false,
      details: { field: "schema" },
    });
  });

  it.each(["(a+)+$", "(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*a){20}$"])(
    "matches the catastrophic pattern %s in linear time",
    async (pattern) => {
      const started = performance.now();
      const { rejected } = await validate({ properties: { a: { type: "string", pattern } } }, [
        { a: `${"a".repeat(5_000)}!` },
      ]);
      expect(rejected).toHaveLength(1);
      expect(performance.now() - started).toBeLessThan(5_000);
    },
  );

  it.each([
    "email",
    "uri",
    "uri-reference",
    "uri-template",
    "hostname",
    "date-time",
    "duration",
    "ipv6",
    "json-pointer",
  ])("checks the format %s of a hostile text quickly", async (format) => {
    const started = performance.now();
    await validate(
      { properties: { a: { format } } },
      ["a@", "a.", "a-", "%41", "{a}", "1:", "/~0", "ftp://1", "P1Y"].map((part) => ({
        a: `${part.repeat(20_000)}\u0000`,
      })),
    );
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it("rejects a record that is nested deeper than the schema's recursion can follow", async () => {
    let nested: unknown = null;
    for (let depth = 0; depth < 100_000; depth++) nested = [nested];
    const schema = {
      properties: { a: { $ref: "#/$defs/list" } },
      $defs: { list: { type: ["array", "null"], items: { $ref: "#/$defs/list" } } },
    };
    const { records, rejected } = await validate(schema, [{ a: nested }, { a: [[null]] }]);
    expect(rejected).toMatchObject([{ id: "1", reason: "schema_recursion_too_deep" }]);
    expect(records.map(({ id }) => id)).toEqual(["2"]);
  });

  it.each<[string, unknown, Row]>([
    ["a type", { properties: { constructor: { type: "string" } } }, {}],
    ["dependencies", { dependentRequired: { toString: ["a"] }, dependentSchemas: { valueOf: false } }, {}],
    ["rules for names", { propertyNames: { minLength: 20 }, patternProperties: { "^to": false } }, {}],
    ["a requirement", { required: ["toString", "__proto__"] }, JSON.parse('{"toString":1,"__proto__":2}') as Row],
  ])("applies %s to no built-in property", async (_, schema, row) => {
    expect((await validate(schema, [row])).rejected).toEqual([]);
  });

  const fields = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`f${n}`, n]));
  it.each<[string, unknown, Row]>([
    ["required", { required: ["toString"] }, {}],
    ["required", { required: ["__proto__"] }, {}],
    ["required", { required: ["valueOf", ...Object.keys(fields)] }, fields],
    ["type", { properties: { constructor: { type: "string" } } }, { constructor: 1 } as Row],
    ["additionalProperties", { properties: { a: true }, additionalProperties: false }, { valueOf: 1 } as Row],
    [
      "unevaluatedProperties",
      { anyOf: [{ properties: { a: true } }, { properties: { b: true } }], unevaluatedProperties: false },
      { constructor: 1 } as Row,
    ],
  ])("applies %s to the record's own fields and not to built-in properties", async (keyword, schema, row) => {
    const { rejected } = await validate(schema, [row]);
    expect(rejected[0]?.details).toMatchObject({ errors: [{ keyword }], error_count: 1 });
  });

  it("follows references inside the schema", async () => {
    const schema = {
      properties: { billing: { $ref: "#/$defs/address" } },
      $defs: { address: { type: "object", required: ["city"] } },
    };
    const { rejected } = await validate(schema, [{ billing: {} }]);
    expect(rejected[0]?.details).toMatchObject({ errors: [{ field: "billing.city" }] });
  });

  it.each<[divisor: number, multiples: number[], others: number[]]>([
    [0.01, [19.99, 0.07, 1_000_000_000.01, -4.35, 0, 1e22, 1.1], [19.999, 19.990000001, 0.001, 1_000_000_000.011]],
    [0.1, [0.3, 1.1, 123456789.7], [0.25, 0.30000000000000004]],
    [1e-7, [3e-7, 0.0000012, 1], [1.5e-7, 5e-324]],
    [2.5, [7.5, -5, 0], [7.4, 1]],
    [3, [9, -3, 9_007_199_254_740_990, 3e20], [10, 4.5, 1e20]],
    [5e-324, [1.7976931348623157e308, 0.1], []],
  ])("checks multiples of %d in decimals", async (divisor, multiples, others) => {
    const rows = [...multiples, ...others].map((a) => ({ a }));
    const { records, rejected } = await validate({ properties: { a: { multipleOf: divisor } } }, rows);
    expect(records.map(({ data }) => data["a"])).toEqual(multiples);
    expect(rejected).toHaveLength(others.length);
    for (const { details } of rejected) {
      expect(details?.["errors"]).toEqual([
        { field: "a", keyword: "multipleOf", message: `must be multiple of ${divisor}` },
      ]);
    }
  });

  it("keeps the patterns of a schema apart", async () => {
    const schema = {
      properties: { a: { pattern: "^a$" }, b: { pattern: "^b$" } },
      patternProperties: { "^c": { type: "null" } },
    };
    const { rejected } = await validate(schema, [
      { a: "a", b: "b", c: null },
      { a: "b", b: "a", c1: 1 },
    ]);
    expect(rejected.map(({ id, details }) => [id, details?.["error_count"]])).toEqual([["2", 3]]);
  });

  it("does not change a record, even if the schema has defaults", async () => {
    const row = { employees: "12" };
    const { records } = await validate({ properties: { country: { default: "DE" }, employees: { type: "string" } } }, [
      row,
    ]);
    expect(records[0]?.data).toEqual({ employees: "12" });
  });

  it.each([{}, { schema: [] }, { schema: true }, { schema: {}, max_errors: 0 }, { schema: {}, strict: true }])(
    "refuses the config %j",
    (config) => {
      expect(validateRecords.configSchema.safeParse(config).success).toBe(false);
    },
  );
});
