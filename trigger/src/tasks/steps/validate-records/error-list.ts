import type { ErrorObject } from "ajv/dist/2020.js";

/**
 * What stands in for the list in which a compiled schema collects the errors of a value: the first of them, and how many
 * there are. A schema of a few lines can find millions, which would fill the memory before the time is up.
 */
export class ErrorList {
  /** The first of the errors; never more than the most that are kept. */
  readonly first: ErrorObject[] = [];
  #length = 0;

  constructor(private readonly mostKept: number) {}

  get length(): number {
    return this.#length;
  }

  /** Shorter only: a branch of an `anyOf` failed and another fits, so that its errors are none. */
  set length(length: number) {
    this.#length = length;
    if (this.first.length > length) this.first.length = length;
  }

  push(error: ErrorObject): void {
    this.#length += 1;
    if (this.first.length < this.mostKept) this.first.push(error);
  }

  /** A list of its own: the schema that a reference leads to keeps its list until it is asked again. */
  concat(other: ErrorList): ErrorList {
    const both = new ErrorList(this.mostKept);
    both.first.push(...this.first, ...other.first.slice(0, this.mostKept - this.first.length));
    both.#length = this.#length + other.#length;
    return both;
  }
}
