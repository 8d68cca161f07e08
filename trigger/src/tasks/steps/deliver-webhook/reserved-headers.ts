// prettier-ignore
const RESERVED_HEADERS = new Set([
  "idempotency-key", "traceparent", "tracestate", "host", "content-type", "content-length", "content-encoding",
  "transfer-encoding", "connection", "keep-alive", "upgrade", "expect", "te", "trailer",
]);

/** The delivery itself sets framing, content type, name, trace and signature; Standard Webhooks reserves `webhook-`. */
export function isAllowedHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return !RESERVED_HEADERS.has(lower) && !lower.startsWith("webhook-") && !lower.startsWith("proxy-");
}
