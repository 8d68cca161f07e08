import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

import type { ConditionInput } from "../worker-api/answers";
import { Condition } from "./condition";

interface Shared {
  record: Record<string, unknown>;
  input: ConditionInput;
  cases: [string, boolean | "error"][];
  invalid: [string, number, number][];
  invalid_when_saved: [string, number, number][];
}

/** The API's tests read the same file: both implementations must give the same answers. */
const shared = JSON.parse(
  readFileSync(new URL("../../../tests/shared/run_if.json", import.meta.url), "utf8"),
) as Shared;

function answer(text: string): boolean | "error" {
  const condition = Condition.parse(text);
  if (!condition.appliesToRecords) {
    try {
      return condition.holdsForRun(shared.input);
    } catch (error) {
      expect(error).toMatchObject({ code: "run_if_failed", retryable: false });
      return "error";
    }
  }
  const { chosen, passing, rejected } = condition.divide([{ id: "1", data: shared.record }], shared.input);
  expect(chosen.length + passing.length + rejected.length).toBe(1);
  if (rejected.length > 0) expect(rejected[0]).toMatchObject({ id: "1", reason: "run_if_failed" });
  return rejected.length > 0 ? "error" : chosen.length === 1;
}

test.each(shared.cases)("%s is %s", (text, expected) => {
  expect(answer(text)).toBe(expected);
});

test.each(shared.invalid)("%s is refused before any work", (text) => {
  expect(() => Condition.parse(text)).toThrow(expect.objectContaining({ code: "invalid_run_if", retryable: false }));
});

test.each(shared.invalid_when_saved)("%s cannot be evaluated, should it get past the API", (text) => {
  expect(answer(text)).toBe("error");
});

test.each(["int", "uint", "double"])("%s does not convert a number with blanks around it", (type) => {
  expect(["' 42'", "'42 '", "'42\\n'", "'\\t'"].map((text) => answer(`string(${type}(${text})) == '42'`))).toEqual(
    Array(4).fill("error"),
  );
  expect(answer(`string(${type}('42')) == '42'`)).toBe(true);
});

describe("a condition", () => {
  test.each([
    ["record.a == 1", true],
    ["has(record.a)", true],
    ["run.record_count > 1 || record.a == 1", true],
    ["steps.record.status == 'failed'", false],
    ["run.record_count > 1", false],
    ["[1].exists(record, record == 1)", false],
  ])("%s is evaluated for each record: %s", (text, appliesToRecords) => {
    expect(Condition.parse(text).appliesToRecords).toBe(appliesToRecords);
  });

  test("that is longer than a blueprint may hold is refused", () => {
    expect(() => Condition.parse(`true${" ".repeat(2_000)}`)).toThrow(
      expect.objectContaining({ code: "invalid_run_if" }),
    );
  });

  test("divides a chunk without losing a record", () => {
    const records = [{ n: 1 }, {}, { n: 3 }, { n: "x" }].map((data, row) => ({ id: String(row + 1), data }));
    const { chosen, passing, rejected } = Condition.parse("record.n > 2").divide(records, shared.input);
    expect([chosen, passing, rejected].map((part) => part.map(({ id }) => id))).toEqual([["3"], ["1"], ["2", "4"]]);
  });

  test("that never ends is stopped and fails the step", () => {
    const long = Array.from({ length: 60_000 }, (_, index) => `x${index}`);
    const records = Array.from({ length: 1_000 }, (_, row) => ({ id: String(row + 1), data: { long } }));
    const endless = Condition.parse("record.long.all(x, x in record.long)");
    expect(() => endless.divide(records, shared.input, 50)).toThrow(expect.objectContaining({ code: "run_if_failed" }));
  });
});
