import { runInNewContext } from "node:vm";

import { finalError } from "../../../errors";

/** The only way to stop JavaScript that does not yield: V8 ends the call, whatever it is in. */
export function withinTimeLimit<Result>(work: () => Result, milliseconds: number): Result {
  try {
    return runInNewContext("work()", { work }, { timeout: milliseconds }) as Result;
  } catch (error) {
    if (!isTimeout(error)) throw error;
    throw finalError(
      "invalid_step_config",
      `The schema takes more than ${milliseconds / 1000} seconds for one chunk.`,
      { details: { field: "schema" } },
    );
  }
}

function isTimeout(error: unknown): boolean {
  return (
    typeof error === "object" && error !== null && (error as { code?: unknown }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT"
  );
}
