import { subscribe } from "node:diagnostics_channel";
import { type EventLoopUtilization, performance } from "node:perf_hooks";

/** Named in https://nodejs.org/api/diagnostics_channel.html and undici's docs/api/DiagnosticsChannel.md. */
const created = "undici:request:create";
const over = ["undici:request:trailers", "undici:request:error"];

interface Request {
  origin: string | URL;
  path: string;
}

interface Sums {
  /** Calls by function. */
  calls: Record<string, number>;
  /** The times of all calls, added up. */
  callsMs: number;
  /** The time in which at least one call was under way and the process had nothing else to do. */
  waitingMs: number;
}

/** Times the calls to the Data API from outside the code that makes them. */
export class DataApiTime {
  readonly #origin: string;
  readonly #begun = new Map<Request, number>();
  #since: EventLoopUtilization | undefined;
  #sums: Sums = { calls: {}, callsMs: 0, waitingMs: 0 };

  constructor(supabaseUrl: string) {
    this.#origin = new URL(supabaseUrl).origin;
    subscribe(created, (message) => this.#begin((message as { request: Request }).request));
    for (const name of over) subscribe(name, (message) => this.#end((message as { request: Request }).request));
  }

  /** The sums since the last call. */
  take(): Sums {
    const taken = this.#sums;
    this.#sums = { calls: {}, callsMs: 0, waitingMs: 0 };
    return taken;
  }

  #begin(request: Request): void {
    if (String(request.origin) !== this.#origin) return;
    const name = request.path.split("/").at(-1) ?? request.path;
    this.#sums.calls[name] = (this.#sums.calls[name] ?? 0) + 1;
    if (this.#begun.size === 0) this.#since = performance.eventLoopUtilization();
    this.#begun.set(request, performance.now());
  }

  #end(request: Request): void {
    const begun = this.#begun.get(request);
    if (begun === undefined) return;
    this.#sums.callsMs += performance.now() - begun;
    this.#begun.delete(request);
    if (this.#begun.size === 0) this.#sums.waitingMs += performance.eventLoopUtilization(this.#since).idle;
  }
}
