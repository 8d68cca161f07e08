/** False for null, blank text, empty lists and empty objects; `0` and `false` are values. */
export function isFilled(value: unknown): boolean {
  if (value === null || value === undefined) return false;
  if (typeof value === "string") return value.trim() !== "";
  if (typeof value === "object") return Object.keys(value).length > 0;
  return true;
}

/**
 * Which fields of each row are filled. Rows of a batch share few combinations of fields, so each combination is stored
 * once and a row takes one number. Fields that start with `_` are notes of earlier steps and do not count.
 */
export class FilledFieldsIndex {
  private readonly combinations: string[][] = [];
  private readonly numbers = new Map<string, number>();
  private readonly rows: number[] = [];

  /** Adds the next row, and returns its filled fields. */
  add(data: Record<string, unknown>): readonly string[] {
    const fields = Object.keys(data).filter((field) => !field.startsWith("_") && isFilled(data[field]));
    const key = JSON.stringify(fields);
    let number = this.numbers.get(key);
    if (number === undefined) {
      number = this.combinations.push(fields) - 1;
      this.numbers.set(key, number);
    }
    this.rows.push(number);
    return this.combinations[number] ?? [];
  }

  fields(row: number): readonly string[] {
    return this.combinations[this.rows[row] ?? -1] ?? [];
  }

  count(row: number): number {
    return this.fields(row).length;
  }
}
