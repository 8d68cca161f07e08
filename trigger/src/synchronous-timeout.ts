import { runInNewContext } from "node:vm";

/** The only way to stop JavaScript that does not yield: V8 ends the call, whatever it is in. */
export function withinTimeLimit<Result>(work: () => Result, milliseconds: number, exceeded: () => Error): Result {
  try {
    return runInNewContext("work()", { work }, { timeout: milliseconds }) as Result;
  } catch (error) {
    if (!isTimeout(error)) throw error;
    throw exceeded();
  }
}

function isTimeout(error: unknown): boolean {
  return (
    typeof error === "object" && error !== null && (error as { code?: unknown }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT"
  );
}
