/** How long a write may still take after its run has ended. A chunk that is not written in time is processed again. */
const graceMs = 4_000;

/** Aborts with the reason of `signal`, once the grace period after its abort is over. */
export function afterGrace(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const abort = () => {
    setTimeout(() => controller.abort(signal.reason), graceMs).unref();
  };
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return controller.signal;
}
