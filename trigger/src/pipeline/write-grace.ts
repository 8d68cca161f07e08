/** How long a write may take when its run has ended. Nothing is lost if it does not get there: the chunk is done again. */
const graceMs = 4_000;

/** Aborts as `signal` does, for the same reason, but only when the grace is over. */
export function afterGrace(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const abort = () => {
    setTimeout(() => controller.abort(signal.reason), graceMs).unref();
  };
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return controller.signal;
}
