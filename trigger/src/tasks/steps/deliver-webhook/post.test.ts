import { describe, expect, it } from "vitest";

import { parseRetryAfter } from "./post";

const now = Date.parse("2026-01-01T00:00:00Z");

describe("Retry-After", () => {
  it.each<[string | undefined, number | null]>([
    [undefined, null],
    ["0", 0],
    ["120", 120_000],
    [" 5 ", 5_000],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
    ["Thursday, 01-Jan-26 00:00:30 GMT", 30_000],
    ["Wed, 31 Dec 2025 23:59:59 GMT", 0],
    ["soon", null],
    ["-5", null],
    ["1.5", null],
    ["901", 900_000],
    ["9999999999", 900_000],
    ["9".repeat(400), 900_000],
    ["Fri, 01 Jan 2100 00:00:00 GMT", 900_000],
    ["", null],
  ])("%j is %s milliseconds", (value, expected) => expect(parseRetryAfter(value, now)).toBe(expected));
});
