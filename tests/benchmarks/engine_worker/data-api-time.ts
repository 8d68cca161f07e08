import { subscribe } from "node:diagnostics_channel";
import { type EventLoopUtilization, performance } from "node:perf_hooks";

/** As https://nodejs.org/api/diagnostics_channel.html and undici's docs/api/DiagnosticsChannel.md name them. */
const created = "undici:request:create";
const over = ["undici:request:trailers", "undici:request:error"];

interface Sums {
  /** Calls by function. */
  calls: Record<string, number>;
  /** While at least one call was under way: overlapping calls count once. */
  underWayMs: number;
  /** The part of that in which the process had nothing to do but wait. */
  waitingMs: number;
}

/** Follows the calls to the Data API from outside of the code that makes them. */
export class DataApiTime {
  readonly #origin: string;
  readonly #underWay = new Set<object>();
  #since: { at: number; loop: EventLoopUtilization } | undefined;
  #sums: Sums = { calls: {}, underWayMs: 0, waitingMs: 0 };

  constructor(supabaseUrl: string) {
    this.#origin = new URL(supabaseUrl).origin;
    subscribe(created, (message) => this.#begin((message as { request: { origin: string; path: string } }).request));
    for (const name of over) subscribe(name, (message) => this.#end((message as { request: object }).request));
  }

  /** What has been summed up since the last time. */
  take(): Sums {
    const taken = this.#sums;
    this.#sums = { calls: {}, underWayMs: 0, waitingMs: 0 };
    return taken;
  }

  #begin(request: { origin: string; path: string }): void {
    if (String(request.origin) !== this.#origin) return;
    const name = request.path.split("/").at(-1) ?? request.path;
    this.#sums.calls[name] = (this.#sums.calls[name] ?? 0) + 1;
    if (this.#underWay.size === 0) this.#since = { at: performance.now(), loop: performance.eventLoopUtilization() };
    this.#underWay.add(request);
  }

  #end(request: object): void {
    if (!this.#underWay.delete(request) || this.#underWay.size > 0 || this.#since === undefined) return;
    this.#sums.underWayMs += performance.now() - this.#since.at;
    this.#sums.waitingMs += performance.eventLoopUtilization(this.#since.loop).idle;
    this.#since = undefined;
  }
}
