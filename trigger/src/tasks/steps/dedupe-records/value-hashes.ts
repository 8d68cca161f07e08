/** So many of a row's fields are compared, and so much of a value: the report of duplicates must not fill the memory. */
const MOST_FIELDS = 32;
const MOST_CHARACTERS = 200;

/** A number per value, to tell which fields of two rows differ when the rows are gone. Case and outer blanks do not count. */
export class ValueHashes {
  #hashes = new Int32Array(1_024);
  #end = 0;
  readonly #starts: number[] = [];

  /** Adds the next row with its filled fields. */
  add(data: Record<string, unknown>, fields: readonly string[]): void {
    this.#starts.push(this.#end);
    if (this.#end + MOST_FIELDS > this.#hashes.length) {
      const larger = new Int32Array(2 * this.#hashes.length);
      larger.set(this.#hashes);
      this.#hashes = larger;
    }
    for (const field of fields.slice(0, MOST_FIELDS)) this.#hashes[this.#end++] = hashOf(data[field]);
  }

  /** The fields that both rows have and that are not the same. */
  differing(row: number, fields: readonly string[], other: number, otherFields: readonly string[]): string[] {
    const places = new Map(otherFields.slice(0, MOST_FIELDS).map((field, place) => [field, place]));
    return fields.slice(0, MOST_FIELDS).filter((field, place) => {
      const otherPlace = places.get(field);
      return otherPlace !== undefined && this.#hash(row, place) !== this.#hash(other, otherPlace);
    });
  }

  #hash(row: number, place: number): number | undefined {
    return this.#hashes[(this.#starts[row] ?? 0) + place];
  }
}

/** FNV-1a. Two values in four billion look the same: a field is then missing in a report. */
function hashOf(value: unknown): number {
  const text = (typeof value === "object" ? JSON.stringify(value) : String(value)).trim().toLowerCase();
  let hash = 0x811c9dc5 ^ text.length;
  const end = Math.min(text.length, MOST_CHARACTERS);
  for (let at = 0; at < end; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash | 0;
}
