import { expect, test } from "vitest";

import { mergeInRowOrder } from "./row-order";

const of = (...ids: string[]) => ids.map((id) => ({ id, data: {} }));
const idsOf = (records: { id: string }[]) => records.map(({ id }) => id).join(" ");

test.each([
  ["records that nothing chose stand between those that a step kept", "1 2 3 4", "2 4", "1 3", "1 2 3 4"],
  ["a record that the step dropped leaves no gap", "1 2 3 4", "4", "1 3", "1 3 4"],
  ["children stand where their parent stood", "1 2 3", "2.1 2.2 2.2.1", "1 3", "1 2.1 2.2 2.2.1 3"],
  ["the step's own order stays", "1 2 3 4", "4 2", "1 3", "1 3 4 2"],
  ["a step that made nothing leaves what passed it by", "1 2 3", "", "1 3", "1 3"],
  ["a step that was asked of all has the last word", "1 2 3", "3 1", "", "3 1"],
])("%s", (_, input, made, passing, placed) => {
  const list = (ids: string) => of(...ids.split(" ").filter((id) => id !== ""));
  expect(idsOf(mergeInRowOrder(list(input), list(made), list(passing)))).toBe(placed);
});
