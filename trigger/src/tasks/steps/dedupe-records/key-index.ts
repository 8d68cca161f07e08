import { matchKey, type Comparison } from "./match-key";

/** Numbers the rows' keys under one list of fields: equal keys have equal numbers. */
export class KeyIndex {
  private readonly seen = new Map<string, { number: number; row: number }>();
  private readonly numbers: number[] = [];
  private readonly counts: number[] = [];

  constructor(private readonly fields: readonly { name: string; comparison: Comparison }[]) {}

  /** Adds the next row. Returns the first row with the same key; undefined when there is none or a field is empty. */
  add(data: Record<string, unknown>): number | undefined {
    const row = this.numbers.length;
    const key = matchKey(data, this.fields);
    if (key === null) {
      this.numbers.push(-1);
      return undefined;
    }
    const earlier = this.seen.get(key);
    const number = earlier?.number ?? this.seen.size;
    if (earlier === undefined) this.seen.set(key, { number, row });
    this.numbers.push(number);
    this.counts[number] = (this.counts[number] ?? 0) + 1;
    return earlier?.row;
  }

  areEqual(row: number, other: number): boolean {
    const number = this.numbers[row] ?? -1;
    return number !== -1 && number === this.numbers[other];
  }

  isShared(row: number): boolean {
    return (this.counts[this.numbers[row] ?? -1] ?? 0) > 1;
  }
}
