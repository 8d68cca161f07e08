import { groupsThatAgree, type Signature } from "./agreement";
import { agreementKey, matchKey, valuesOfKey, type Comparison } from "./match-key";
import { agreeingFields, equalFields, type MatchRule } from "./match-rule";

/** A value that more records share than may. */
export interface LargeGroup {
  fields: string[];
  /** Null where the values are too long to be kept. */
  values: string[] | null;
  records: number;
  firstRow: number;
}

interface Field {
  name: string;
  comparison: Comparison;
}

/**
 * Numbers the rows' keys under one rule: rows that match have equal numbers. The texts of the keys are held only until the
 * batch is read.
 */
export class KeyIndex {
  readonly #fields: readonly Field[];
  readonly #agreeing: readonly { name: string; comparison: Comparison | undefined }[];
  readonly #keys = new Map<string, number>();
  /** By agreeing field, the numbers of its values. */
  readonly #values: readonly Map<string, number>[];
  readonly #signatures: number[] = [];
  readonly #counts: number[] = [];
  #numbers: number[] = [];

  constructor(rule: MatchRule, comparisons: ReadonlyMap<string, Comparison>) {
    this.#fields = equalFields(rule).map((name) => ({ name, comparison: comparisons.get(name) ?? "text" }));
    this.#agreeing = agreeingFields(rule).map((name) => ({ name, comparison: comparisons.get(name) }));
    this.#values = this.#agreeing.map(() => new Map<string, number>());
  }

  /** Adds the next row. */
  add(data: Record<string, unknown>): void {
    const key = matchKey(data, this.#fields);
    const number = key === null ? -1 : numberOf(key, this.#keys);
    this.#numbers.push(number);
    if (number !== -1) this.#counts[number] = (this.#counts[number] ?? 0) + 1;
    this.#agreeing.forEach(({ name, comparison }, index) => {
      const value = number === -1 ? null : agreementKey(data[name], comparison);
      this.#signatures.push(value === null ? -1 : numberOf(value, this.#values[index] as Map<string, number>));
    });
  }

  /** Once all rows are there: decides which match, and returns the values that too many share for being a key. */
  settle(mostRows: number): LargeGroup[] {
    const large = this.#largeGroups(mostRows);
    const rowsOf = this.#rowsByNumber((number) => this.#isKey(number, mostRows));
    const numbers = new Array<number>(this.#numbers.length).fill(-1);
    this.#counts.length = 0;
    for (const rows of rowsOf.values()) {
      const groups =
        this.#agreeing.length === 0 ? rows.map(() => 0) : groupsThatAgree(rows.map((row) => this.#signatureOf(row)));
      const first = this.#counts.length;
      rows.forEach((row, index) => {
        const group = groups[index] ?? -1;
        if (group === -1) return;
        numbers[row] = first + group;
        this.#counts[first + group] = (this.#counts[first + group] ?? 0) + 1;
      });
    }
    this.#numbers = numbers;
    this.#keys.clear();
    this.#signatures.length = 0;
    for (const values of this.#values) values.clear();
    return large;
  }

  /** Each row that matches an earlier one, with the first that it matches. */
  *matches(): Iterable<[first: number, row: number]> {
    const firstRows = new Map<number, number>();
    for (const [row, number] of this.#numbers.entries()) {
      if (number === -1 || this.#counts[number] === 1) continue;
      const first = firstRows.get(number);
      if (first === undefined) firstRows.set(number, row);
      else yield [first, row];
    }
  }

  areEqual(row: number, other: number): boolean {
    const number = this.#numbers[row] ?? -1;
    return number !== -1 && number === this.#numbers[other];
  }

  isShared(row: number): boolean {
    return (this.#counts[this.#numbers[row] ?? -1] ?? 0) > 1;
  }

  #isKey(number: number, mostRows: number): boolean {
    const count = this.#counts[number] ?? 0;
    return count > 1 && count <= mostRows;
  }

  #rowsByNumber(isWanted: (number: number) => boolean): Map<number, number[]> {
    const rows = new Map<number, number[]>();
    for (const [row, number] of this.#numbers.entries()) {
      if (number === -1 || !isWanted(number)) continue;
      const list = rows.get(number);
      if (list === undefined) rows.set(number, [row]);
      else list.push(row);
    }
    return rows;
  }

  #signatureOf(row: number): Signature {
    const width = this.#agreeing.length;
    return this.#signatures.slice(row * width, (row + 1) * width);
  }

  #largeGroups(mostRows: number): LargeGroup[] {
    const firstRows = new Map<number, number>();
    for (const [row, number] of this.#numbers.entries())
      if ((this.#counts[number] ?? 0) > mostRows && !firstRows.has(number)) firstRows.set(number, row);
    const fields = this.#fields.map(({ name }) => name);
    const found: LargeGroup[] = [];
    for (const [key, number] of this.#keys) {
      const firstRow = firstRows.get(number);
      if (firstRow === undefined) continue;
      const records = this.#counts[number] ?? 0;
      found.push({ fields, values: valuesOfKey(key, fields.length), records, firstRow });
    }
    return found;
  }
}

function numberOf(text: string, numbers: Map<string, number>): number {
  let number = numbers.get(text);
  if (number === undefined) numbers.set(text, (number = numbers.size));
  return number;
}
