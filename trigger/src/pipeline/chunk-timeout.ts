import { retryableError, type StepError } from "../errors";

/**
 * One attempt at one chunk, for at most the step's `timeout_seconds`. When they are over, the signal aborts and the
 * attempt fails with `step_timeout`, whether or not the work heeds the signal. What does not yield cannot be
 * interrupted: it is timed, and fails when it is through.
 */
export async function withinTimeout<Result>(
  work: (signal: AbortSignal) => Promise<Result> | Result,
  signal: AbortSignal,
  timeoutSeconds: number | null,
): Promise<Result> {
  if (timeoutSeconds === null) return work(signal);
  const timeout = new AbortController();
  const expired = new Promise<never>((_resolve, reject) => {
    timeout.signal.addEventListener("abort", () => reject(timeout.signal.reason as StepError), { once: true });
  });
  // Nobody awaits it when the work is done first.
  expired.catch(() => undefined);
  const timer = setTimeout(() => timeout.abort(timeoutError(timeoutSeconds)), timeoutSeconds * 1_000);
  const started = performance.now();
  try {
    const result = await Promise.race([work(AbortSignal.any([signal, timeout.signal])), expired]);
    if (performance.now() - started > timeoutSeconds * 1_000) throw timeoutError(timeoutSeconds);
    return result;
  } catch (error) {
    signal.throwIfAborted();
    // The work's own way of failing when it is aborted says less.
    timeout.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function timeoutError(timeoutSeconds: number): StepError {
  return retryableError(
    "step_timeout",
    `A chunk took longer than the ${timeoutSeconds} seconds that the blueprint gives it.`,
    {
      details: { timeout_seconds: timeoutSeconds },
    },
  );
}
