import type { ColumnProfile } from "../step";
import type { OneCase } from "./letter-case";

/** Fewer filled cells do not show how a column is written: seven names can all be brands in capitals. */
const FEWEST_CELLS = 10;
/** The share of filled cells, in tenths, that must be in one case. */
const TENTHS = 9;

/** The case in which a column writes its cells; null for both, and for a column of which too little is known. */
export function caseOfColumn(column: ColumnProfile | undefined): OneCase | null {
  if (column === undefined || column.filled < FEWEST_CELLS) return null;
  if (column.capitals * 10 >= column.filled * TENTHS) return "capitals";
  return column.lower_case * 10 >= column.filled * TENTHS ? "lower_case" : null;
}
