import type { Warn } from "../tasks/steps/step";
import type { ColumnUse, Remarks, Warning } from "../worker-api/remarks";

// The limits of the database, which refuses more. A remark that is too long must not fail a run, so it is cut here.
export const maxWarnings = 20;
export const maxMessageCharacters = 500;
export const maxDetailsBytes = 4_096;
export const maxColumns = 2_000;
export const maxNameCharacters = 255;
const codePattern = /^[a-z][a-z0-9_]{0,62}$/;

/** Collects what a step says besides its records, over all of its chunks and its attempts in this process. */
export class StepRemarks {
  readonly #warnings: Warning[] = [];
  #columns: readonly ColumnUse[] | undefined;

  /** `onWarning` is called for each warning that is kept. */
  constructor(private readonly onWarning: (warning: Warning) => void = () => undefined) {}

  readonly warn: Warn = (code, message, details = {}) => {
    if (!codePattern.test(code)) throw new Error(`A step warns with the code ${code}, which is not snake_case.`);
    const warning = { code, message: cut(message, maxMessageCharacters), details: bounded(details) };
    const isKnown = this.#warnings.some((known) => known.code === code && known.message === warning.message);
    if (isKnown || this.#warnings.length === maxWarnings) return;
    this.#warnings.push(warning);
    this.onWarning(warning);
  };

  readonly reportColumns = (uses: readonly ColumnUse[]): void => {
    this.#columns = uses
      .filter(({ name }) => name !== "" && [...name].length <= maxNameCharacters)
      .slice(0, maxColumns)
      .map(({ name, field }) => ({ name, field: field ? cut(field, maxNameCharacters) : null }));
  };

  get all(): Remarks {
    return { warnings: this.#warnings, columns: this.#columns };
  }
}

/** By characters as Postgres counts them, which also keeps surrogate pairs whole. */
function cut(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters ? text : [...text].slice(0, maxCharacters).join("");
}

function bounded(details: Record<string, unknown>): Record<string, unknown> {
  // Indented, the text has at least as many spaces as the one that Postgres measures.
  const bytes = Buffer.byteLength(JSON.stringify(details, null, 1));
  return bytes <= maxDetailsBytes ? details : { truncated: true };
}
