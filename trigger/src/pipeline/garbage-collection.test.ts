import { expect, test } from "vitest";

import { collectAll, GarbageCollector } from "./garbage-collection";

const heapUsed = () => process.memoryUsage().heapUsed;

/** Many small objects, some sixty bytes each. */
function records(count: number): object[] {
  return Array.from({ length: count }, (_, row) => ({ id: row, text: `${row}` }));
}

test("dropped records are collected once memory has grown enough", () => {
  const garbage = new GarbageCollector(collectAll);
  collectAll();
  const before = heapUsed();
  const comeAndGo = () => {
    const held = records(1_500_000);
    return heapUsed() + 0 * held.length;
  };
  expect(comeAndGo() - before).toBeGreaterThan(60_000_000);
  garbage.collectIfGrown();
  expect(heapUsed() - before).toBeLessThan(30_000_000);
});

test("records that are held do not cause one collection after another", () => {
  let collections = 0;
  const garbage = new GarbageCollector(() => collections++);
  const held = records(1_500_000);
  for (let chunk = 0; chunk < 100; chunk++) garbage.collectIfGrown();
  expect(collections).toBe(1);
  expect(held).toHaveLength(1_500_000);
});
