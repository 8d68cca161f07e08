import type { PipelineRecord } from "../worker-api/records";

/**
 * Merges a step's output with the records that its condition let pass. Each record takes the place of its row in the
 * input, and a child of a fan-out that of its parent. If the step changed the order of its records, that order stays.
 */
export function mergeInRowOrder(
  input: readonly PipelineRecord[],
  output: readonly PipelineRecord[],
  passing: readonly PipelineRecord[],
): PipelineRecord[] {
  if (passing.length === 0) return [...output];
  const places = new Map(input.map(({ id }, place) => [id, place]));
  const merged: PipelineRecord[] = [];
  let next = 0;
  const passUntil = (place: number) => {
    for (let record = passing[next]; record && (places.get(record.id) ?? 0) < place; record = passing[next]) {
      merged.push(record);
      next++;
    }
  };
  for (const record of output) {
    passUntil(placeOf(record.id, places));
    merged.push(record);
  }
  passUntil(input.length);
  return merged;
}

/** The place of the nearest ancestor in the input. The database refuses an id that has none. */
function placeOf(id: string, places: ReadonlyMap<string, number>): number {
  for (let name = id; ; name = name.slice(0, name.lastIndexOf("."))) {
    const place = places.get(name);
    if (place !== undefined) return place;
    if (!name.includes(".")) return 0;
  }
}
