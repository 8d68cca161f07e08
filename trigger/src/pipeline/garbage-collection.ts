import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How many bytes more than after the last collection may be in use before the next one. */
const mostGrowth = 48_000_000;

/**
 * Keeps a worker's memory near what it holds. Left alone V8 lets garbage grow to hundreds of megabytes before it collects
 * what has outlived a few chunks, since it sees the whole machine's memory: a run of 100,000 records took 450 MB, of
 * which it held a tenth.
 */
export class Garbage {
  #left = 0;

  constructor(readonly collect: () => void) {}

  /** Costs microseconds, and now and then the tens of milliseconds that a collection takes. */
  collectIfGrown(): void {
    if (bytesInUse() - this.#left < mostGrowth) return;
    this.collect();
    this.#left = bytesInUse();
  }
}

let gc: (() => void) | undefined;

export function collectAll(): void {
  // Node gives the function only to contexts that are made after the flag was set.
  if (gc === undefined) {
    setFlagsFromString("--expose-gc");
    gc = runInNewContext("gc") as () => void;
  }
  gc();
}

/** Of the process, which all its runs share. */
export const garbage = new Garbage(collectAll);

function bytesInUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
