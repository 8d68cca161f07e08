import { setTimeout as wait } from "node:timers/promises";

export interface Backoff {
  baseMs: number;
  maxMs: number;
  /** By how much each wait is longer than the one before; 2 by default. */
  factor?: number;
}

/** Grows with each failure up to `maxMs`. The upper half is random, so that workers do not come back together. */
export function backoffMs(failures: number, { baseMs, maxMs, factor = 2 }: Backoff): number {
  const ceiling = Math.min(maxMs, baseMs * factor ** (failures - 1));
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}

/** Rejects with the signal's reason, where Node's timer would reject with a bare AbortError. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
