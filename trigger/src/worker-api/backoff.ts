import { setTimeout as wait } from "node:timers/promises";

export interface Backoff {
  baseMs: number;
  maxMs: number;
  /** How much longer each wait is than the one before: twice as long when it is left out. */
  factor?: number;
}

/** Nobody waits longer, whatever the other side asks for. */
export const longestRetryAfterMs = 15 * 60_000;

/** Grows per failure up to `maxMs`; the lower half is fixed and the upper half random, so that workers do not come back together. */
export function backoffMs(failures: number, { baseMs, maxMs, factor = 2 }: Backoff): number {
  const ceiling = Math.min(maxMs, baseMs * factor ** (failures - 1));
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}

/** Rejects with the signal's own reason, where Node's timer would reject with a bare AbortError. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
