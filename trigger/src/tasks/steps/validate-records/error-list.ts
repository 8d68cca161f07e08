import type { ErrorObject } from "ajv/dist/2020.js";

/**
 * Replaces the array in which a compiled schema collects errors: keeps the first ones and counts the others. A schema of a
 * few lines can find millions of errors, which would fill the memory before the time limit stops it.
 */
export class ErrorList {
  readonly first: ErrorObject[] = [];
  #length = 0;

  constructor(private readonly maxKept: number) {}

  get length(): number {
    return this.#length;
  }

  /** Only ever shortens the list: a branch of an `anyOf` failed and another one fits, so its errors do not count. */
  set length(length: number) {
    this.#length = length;
    if (this.first.length > length) this.first.length = length;
  }

  push(error: ErrorObject): void {
    this.#length += 1;
    if (this.first.length < this.maxKept) this.first.push(error);
  }

  /** Returns a new list: a referenced schema keeps its own list until it is called again. */
  concat(other: ErrorList): ErrorList {
    const both = new ErrorList(this.maxKept);
    both.first.push(...this.first, ...other.first.slice(0, this.maxKept - this.first.length));
    both.#length = this.#length + other.#length;
    return both;
  }
}
