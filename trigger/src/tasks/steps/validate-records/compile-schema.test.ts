import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";

import { compileSchema } from "./compile-schema";

type Schema = Record<string, unknown>;

/** `levels` schemas, each of which applies the next one twice: 2^levels errors for one value. */
function doubling(levels: number, applicator: "allOf" | "anyOf", last: Schema): Schema {
  const twice = (level: number) => ({ [applicator]: Array(2).fill({ $ref: `#/$defs/level${level}` }) });
  const steps = Array.from({ length: levels }, (_, level) => [
    `level${level}`,
    level + 1 < levels ? twice(level + 1) : { [applicator]: [last, last] },
  ]);
  return { properties: { a: { $ref: "#/$defs/level0" } }, $defs: Object.fromEntries(steps) as Schema };
}

const text = { type: "string" };
const node = { type: "object", required: ["id"], properties: { id: text, next: { $ref: "#/$defs/node" } } };
const schemas: Schema[] = [
  { required: ["a", "b"], properties: { a: text, c: { type: "integer", minimum: 3 } }, additionalProperties: false },
  { properties: { a: { anyOf: [{ items: text }, { items: { type: "number" } }] }, b: text } },
  { properties: { a: { oneOf: [text, { items: text }, { minItems: 2 }] }, b: text } },
  { properties: { a: { contains: text, minContains: 2 }, b: { not: { items: text } } } },
  { properties: { b: text, a: { if: { items: text }, then: { minItems: 4 }, else: { maxItems: 1 } } } },
  { properties: { a: { $ref: "#/$defs/node" }, b: { items: { $ref: "#/$defs/node" } } }, $defs: { node } },
  {
    properties: {
      b: text,
      a: { anyOf: [{ $ref: "#/$defs/node" }, { items: { anyOf: [text, { $ref: "#/$defs/node" }] } }] },
    },
    $defs: { node },
  },
  { propertyNames: { maxLength: 0, pattern: "^b" }, patternProperties: { "^a": text }, unevaluatedProperties: false },
  { allOf: [{ properties: { a: text } }, { properties: { a: false } }], dependentRequired: { a: ["c", "d"] } },
];
const deep = { id: 1, next: { id: "x", next: { next: { id: "y" } } } };
const values = [1, "x", null, [], ["x"], [1, 2, 3], ["x", "y", 1, "z"], deep, [deep, "x", {}, { id: "x" }]];
const records = values.flatMap((a) => [{ a }, ...values.map((b) => ({ a, b }))]);

describe("a compiled schema", () => {
  it.each(schemas)("finds the same errors as the library, in the same order: %j", (schema) => {
    const library = new Ajv2020({ allErrors: true, strict: false, logger: false }).compile(schema);
    const checks = [1, 3, 50].map((most) => [most, compileSchema(schema, most)] as const);
    let found = 0;
    for (const record of records) {
      const expected = library(record) ? [] : (library.errors ?? []);
      found += expected.length;
      for (const [most, check] of checks) {
        const errors = check(record);
        expect([errors?.length ?? 0, errors?.first ?? []]).toEqual([expected.length, expected.slice(0, most)]);
      }
    }
    expect(found).toBeGreaterThan(records.length / 4);
  });

  it.each(["allOf", "anyOf"] as const)(
    "counts the errors that %s doubles, and keeps no more than it is asked for",
    (applicator) => {
      const errors = compileSchema(doubling(14, applicator, text), 10)({ a: 1 });
      expect(errors?.first).toHaveLength(10);
      expect(errors?.length).toBe(applicator === "allOf" ? 2 ** 14 : 2 ** 15 - 1);
    },
  );

  it("drops the errors of a branch when another one fits", () => {
    const { $defs, properties } = doubling(10, "allOf", text);
    const a = { anyOf: [(properties as Schema)["a"], { type: "number" }] };
    expect(compileSchema({ properties: { a }, $defs }, 10)({ a: 1 })).toBeNull();
  });
});
