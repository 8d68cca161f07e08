import type { PipelineRecord } from "../tasks/steps/step";

/**
 * What a step made of the records that its condition chose, and those that passed it by, each in the place that its
 * row had: a child of a fan-out in that of its parent. The step's own order stays, wherever it changed that.
 */
export function putInPlace(
  input: readonly PipelineRecord[],
  made: readonly PipelineRecord[],
  passing: readonly PipelineRecord[],
): PipelineRecord[] {
  if (passing.length === 0) return [...made];
  const places = new Map(input.map(({ id }, place) => [id, place]));
  const placed: PipelineRecord[] = [];
  let next = 0;
  const passUntil = (place: number) => {
    for (let record = passing[next]; record && (places.get(record.id) ?? 0) < place; record = passing[next]) {
      placed.push(record);
      next++;
    }
  };
  for (const record of made) {
    passUntil(placeOf(record.id, places));
    placed.push(record);
  }
  passUntil(input.length);
  return placed;
}

/** That of the nearest record of the input that the id descends from. An id that is nobody's is refused when it is written. */
function placeOf(id: string, places: ReadonlyMap<string, number>): number {
  for (let name = id; ; name = name.slice(0, name.lastIndexOf("."))) {
    const place = places.get(name);
    if (place !== undefined) return place;
    if (!name.includes(".")) return 0;
  }
}
