import { runInNewContext } from "node:vm";

/** Stops work that does not yield. Only V8 can do that, and only for a script that it runs with a timeout. */
export function withSynchronousTimeout<Result>(
  work: () => Result,
  milliseconds: number,
  timeoutError: () => Error,
): Result {
  try {
    return runInNewContext("work()", { work }, { timeout: milliseconds }) as Result;
  } catch (error) {
    if (!isTimeout(error)) throw error;
    throw timeoutError();
  }
}

function isTimeout(error: unknown): boolean {
  return (
    typeof error === "object" && error !== null && (error as { code?: unknown }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT"
  );
}
