import { randomBytes } from "node:crypto";

import type { PipelineRun } from "./claim";

/** The trace and the request of the API call that created a run. */
export type RunTrace = Pick<PipelineRun, "trace_id" | "trace_sampled" | "request_id">;

/** A `traceparent` (W3C Trace Context) for one request on behalf of the run, with a span id of its own. */
export function traceparentOf({ trace_id, trace_sampled }: RunTrace): string {
  return `00-${trace_id}-${newSpanId()}-${trace_sampled ? "01" : "00"}`;
}

/** The headers that tell the Data API which run a request belongs to. */
export function traceHeaders(run: RunTrace): Record<string, string> {
  const traceparent = traceparentOf(run);
  return run.request_id === null ? { traceparent } : { traceparent, "x-request-id": run.request_id };
}

/** Eight random bytes in hexadecimal; the standard forbids all zeros. */
function newSpanId(): string {
  for (;;) {
    const id = randomBytes(8).toString("hex");
    if (/[^0]/.test(id)) return id;
  }
}
