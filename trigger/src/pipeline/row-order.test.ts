import { expect, test } from "vitest";

import { mergeInRowOrder } from "./row-order";

const of = (...ids: string[]) => ids.map((id) => ({ id, data: {} }));
const idsOf = (records: { id: string }[]) => records.map(({ id }) => id).join(" ");

test.each([
  ["records that the condition let pass stay between those that the step kept", "1 2 3 4", "2 4", "1 3", "1 2 3 4"],
  ["a record that the step dropped leaves no gap", "1 2 3 4", "4", "1 3", "1 3 4"],
  ["children take the place of their parent", "1 2 3", "2.1 2.2 2.2.1", "1 3", "1 2.1 2.2 2.2.1 3"],
  ["the step's own order stays", "1 2 3 4", "4 2", "1 3", "1 3 4 2"],
  ["a step without output leaves the records that passed", "1 2 3", "", "1 3", "1 3"],
  ["without passing records, the step's output is unchanged", "1 2 3", "3 1", "", "3 1"],
])("%s", (_, input, made, passing, placed) => {
  const list = (ids: string) => of(...ids.split(" ").filter((id) => id !== ""));
  expect(idsOf(mergeInRowOrder(list(input), list(made), list(passing)))).toBe(placed);
});
