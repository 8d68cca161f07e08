import { describe, expect, it } from "vitest";

import { storedBytes } from "./stored-size";

// The numbers are what Postgres answers: select octet_length('…'::jsonb::text).
describe("the bytes of a stored value", () => {
  it.each<[unknown, number]>([
    [null, 4],
    [true, 4],
    [-12.5, 5],
    [123456789012345680000, 21],
    ["abc", 5],
    ["Zürich 東京 😀", 21],
    ['"\\\n\t\u0001/\u007f', 18],
    [[], 2],
    [{}, 2],
    [[1], 3],
    [[{}], 4],
    [[1, [2, 3], "x"], 16],
    [{ a: [] }, 9],
    [{ a: 1, bc: { d: null } }, 27],
  ])("of %j are %i", (value, bytes) => expect(storedBytes(value)).toBe(bytes));

  it.each([
    [1e300, 301],
    [Number.MAX_VALUE, 309],
    [5e-324, 326],
    [-1.5e21, 23],
    [1e-7, 9],
  ])("of %d, which is stored without its exponent, are at least %i", (value, bytes) => {
    expect(storedBytes(value)).toBeGreaterThanOrEqual(bytes);
    expect(storedBytes(value)).toBeLessThan(bytes + 20);
  });
});
