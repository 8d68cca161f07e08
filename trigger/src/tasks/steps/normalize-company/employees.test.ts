import { describe, expect, it } from "vitest";

import { parseEmployees } from "./employees";

const counts: [string | number, number][] = [
  [1200, 1200],
  [0, 0],
  ["1200", 1200],
  ["1,200", 1200],
  ["1.200", 1200],
  ["1 200", 1200],
  ["1'200", 1200],
  ["1’200", 1200],
  ["1.200.000", 1_200_000],
  ["12.0", 12],
  ["10k", 10_000],
  ["1.5k", 1_500],
  ["1,5K", 1_500],
  ["1.1k", 1_100],
  ["2M", 2_000_000],
  ["ca. 50", 50],
  ["~50", 50],
  ["200 employees", 200],
  ["200 Mitarbeiter", 200],
];

const ranges: [string, lower: number, upper: number, midpoint: number][] = [
  ["50-100", 50, 100, 75],
  ["51–200 employees", 51, 200, 125],
  ["1,001 - 5,000", 1_001, 5_000, 3_000],
  ["10-50k", 10_000, 50_000, 30_000],
  ["5 to 10", 5, 10, 7],
  ["<10", 1, 10, 5],
  ["up to 50", 1, 50, 25],
  ["500+", 500, 500, 500],
  ["> 500", 500, 500, 500],
  ["mehr als 1.000", 1_000, 1_000, 1_000],
];

const unreadable = [
  "abc",
  "-5",
  "12.5",
  "1.20",
  "100-50",
  "100000000",
  "Oct-50",
  "50-",
  "1e3",
  "0x10",
  "",
  "9".repeat(400),
  12.5,
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
];

describe("a head count", () => {
  it.each(counts)("%s is %i", (raw, value) => expect(parseEmployees(raw, "lower")).toEqual({ value, complete: true }));
  it.each(unreadable)("is not read from %s", (raw) => expect(parseEmployees(raw, "lower")).toBeNull());

  it.each(ranges)("given as %s becomes a number by the policy, and is incomplete", (raw, lower, upper, midpoint) => {
    expect(parseEmployees(raw, "lower")).toEqual({ value: lower, complete: false });
    expect(parseEmployees(raw, "upper")).toEqual({ value: upper, complete: false });
    expect(parseEmployees(raw, "midpoint")).toEqual({ value: midpoint, complete: false });
    expect(parseEmployees(raw, "null")).toEqual({ value: null, complete: false });
  });
});
