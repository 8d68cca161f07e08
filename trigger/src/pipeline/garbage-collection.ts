import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How many bytes memory may grow after a collection before the next one. */
const growthBytes = 48_000_000;

/**
 * Keeps a worker's memory near what it holds. V8 looks at the whole machine's memory, and lets chunks that are no longer
 * used pile up to hundreds of megabytes: without this, a run of 100,000 records took 450 MB and held a tenth of it.
 */
export class GarbageCollector {
  #bytesAfterLast = 0;

  constructor(readonly collect: () => void) {}

  /** Takes microseconds, and now and then tens of milliseconds for a collection. */
  collectIfGrown(): void {
    if (bytesInUse() - this.#bytesAfterLast < growthBytes) return;
    this.collect();
    this.#bytesAfterLast = bytesInUse();
  }
}

let gc: (() => void) | undefined;

export function collectAll(): void {
  // Node exposes the function only in contexts that are created after the flag is set.
  if (gc === undefined) {
    setFlagsFromString("--expose-gc");
    gc = runInNewContext("gc") as () => void;
  }
  gc();
}

/** All runs of the process share it. */
export const garbageCollector = new GarbageCollector(collectAll);

function bytesInUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
