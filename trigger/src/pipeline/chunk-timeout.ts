import { retryableError, type StepError } from "../errors";

/**
 * Runs one attempt at one chunk for at most the step's `timeout_seconds`. Then its signal aborts and the attempt fails
 * with `step_timeout`, whether or not the work heeds the signal. Work that never yields cannot be interrupted, so it
 * fails once it is done.
 */
export async function withChunkTimeout<Result>(
  work: (signal: AbortSignal) => Promise<Result> | Result,
  signal: AbortSignal,
  timeoutSeconds: number | null,
): Promise<Result> {
  if (timeoutSeconds === null) return work(signal);
  const timeout = new AbortController();
  const expired = new Promise<never>((_resolve, reject) => {
    timeout.signal.addEventListener("abort", () => reject(timeout.signal.reason as StepError), { once: true });
  });
  // Nothing awaits this promise when the work finishes first.
  expired.catch(() => undefined);
  const timer = setTimeout(() => timeout.abort(timeoutError(timeoutSeconds)), timeoutSeconds * 1_000);
  const started = performance.now();
  try {
    const result = await Promise.race([work(AbortSignal.any([signal, timeout.signal])), expired]);
    if (performance.now() - started > timeoutSeconds * 1_000) throw timeoutError(timeoutSeconds);
    return result;
  } catch (error) {
    signal.throwIfAborted();
    // The timeout says more than the error with which the work reacted to its abort.
    timeout.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function timeoutError(seconds: number): StepError {
  return retryableError(
    "step_timeout",
    `A chunk took longer than the ${seconds} seconds that the blueprint gives it.`,
    {
      details: { timeout_seconds: seconds },
    },
  );
}
