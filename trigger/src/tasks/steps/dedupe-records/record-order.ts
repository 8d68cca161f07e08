/** Orders row numbers as numbers, and the children of a fan-out after their parent: 2, 10, 17, 17.1, 17.2, 17.10. */
function compareIds(a: string, b: string): number {
  const [left, right] = [a.split("."), b.split(".")];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [x = "", y = ""] = [left[index], right[index]];
    const difference = Number(x) - Number(y);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
    if (difference !== 0 && x !== y) return x < y ? -1 : 1;
  }
  return left.length - right.length;
}

/** The place of each id in that order. Ids nearly always come sorted, and then nothing is sorted again. */
export function orderOfIds(ids: readonly string[]): number[] {
  const order = ids.map((_, row) => row);
  const isSorted = ids.every((id, row) => row === 0 || compareIds(ids[row - 1] ?? "", id) < 0);
  if (isSorted) return order;
  const places = new Array<number>(ids.length);
  order.sort((a, b) => compareIds(ids[a] ?? "", ids[b] ?? "")).forEach((row, place) => (places[row] = place));
  return places;
}
