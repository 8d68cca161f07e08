import { expect, test } from "vitest";

import { Garbage } from "./garbage";

const heapUsed = () => process.memoryUsage().heapUsed;

/** Many small objects, some sixty bytes each. */
function records(count: number): object[] {
  return Array.from({ length: count }, (_, row) => ({ id: row, text: `${row}` }));
}

test("what was dropped is collected when enough has come in", () => {
  const garbage = new Garbage();
  garbage.collectIfGrown();
  const before = heapUsed();
  const comeAndGo = () => {
    const held = records(1_500_000);
    return heapUsed() + 0 * held.length;
  };
  expect(comeAndGo() - before).toBeGreaterThan(60_000_000);
  garbage.collectIfGrown();
  expect(heapUsed() - before).toBeLessThan(20_000_000);
});

test("what is held is not collected over and over", () => {
  const garbage = new Garbage();
  const held = records(1_500_000);
  garbage.collectIfGrown();
  const started = performance.now();
  for (let chunk = 0; chunk < 1_000; chunk++) garbage.collectIfGrown();
  // A collection takes tens of milliseconds.
  expect((performance.now() - started) / 1_000).toBeLessThan(5);
  expect(held).toHaveLength(1_500_000);
});
