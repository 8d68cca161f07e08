/** What people should check although nothing failed: a snake_case `code` for programs, a sentence for people. */
export interface Warning {
  code: string;
  message: string;
  details: Record<string, unknown>;
}

/** What a step makes of a column: one of its fields, or none. */
export interface ColumnUse {
  name: string;
  field: string | null;
}

/** What a step says besides its records, kept with its step result. */
export interface Remarks {
  warnings: readonly Warning[];
  /** Undefined if the step does not say it. */
  columns: readonly ColumnUse[] | undefined;
}
