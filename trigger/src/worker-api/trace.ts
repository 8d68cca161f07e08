import { randomBytes } from "node:crypto";

import type { PipelineRun } from "../tasks/steps/step";

/** The trace and the request that a run belongs to: those of the call to the API that created it. */
export type RunTrace = Pick<PipelineRun, "trace_id" | "trace_sampled" | "request_id">;

/**
 * `traceparent` of one request that is made for the run, as W3C Trace Context gives it. The second id names the request
 * itself, so each one has its own.
 */
export function traceparentOf({ trace_id, trace_sampled }: RunTrace): string {
  return `00-${trace_id}-${newSpanId()}-${trace_sampled ? "01" : "00"}`;
}

/** What one request that is made for the run says of it. */
export function traceHeaders(run: RunTrace): Record<string, string> {
  const traceparent = traceparentOf(run);
  return run.request_id === null ? { traceparent } : { traceparent, "x-request-id": run.request_id };
}

/** Eight random bytes in hexadecimal digits; all zeros would be none. */
function newSpanId(): string {
  for (;;) {
    const id = randomBytes(8).toString("hex");
    if (/[^0]/.test(id)) return id;
  }
}
