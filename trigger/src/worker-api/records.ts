import { z } from "zod";

/** One JSON object of a batch. `id` is its row in the upload; children of a fan-out get `17.1`, `17.2`. */
export interface PipelineRecord {
  id: string;
  data: Record<string, unknown>;
}

/** Why a record was rejected or dropped: a snake_case `reason` for programs, a sentence for people. */
export interface Verdict {
  id: string;
  reason: string;
  message: string;
  details?: Record<string, unknown>;
}

/** Each input id must be in exactly one of the three lists; ids that were not in the input count as added. */
export interface ChunkOutcome {
  records: PipelineRecord[];
  rejected: Verdict[];
  dropped: Verdict[];
}

/** How a column of the submission is filled, as counted when the file was read. */
export interface ColumnProfile {
  name: string;
  /** Cells that are not blank. The other numbers count some of these. */
  filled: number;
  /** Cells whose letters are all capitals. */
  capitals: number;
  /** Cells whose letters are all lower case. */
  lower_case: number;
  /** Cells that are numbers. */
  numeric: number;
}

/** The step's own field that a column became; null for none. */
export interface ColumnUse {
  name: string;
  field: string | null;
}

/** Checks records without copying them, as z.object would: each step parses every record of a run. */
export const recordsSchema = z.array(z.custom<PipelineRecord>(isRecord));

function isRecord(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { id, data } = value as Partial<PipelineRecord>;
  return typeof id === "string" && typeof data === "object" && data !== null && !Array.isArray(data);
}
