const OWN_HEADERS = new Set([
  "idempotency-key",
  "traceparent",
  "tracestate",
  "host",
  "content-type",
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
  "expect",
  "te",
  "trailer",
]);

/** Framing, content type, name, trace and signature are the delivery's; `webhook-` is reserved by Standard Webhooks. */
export function isAllowedHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return !OWN_HEADERS.has(lower) && !lower.startsWith("webhook-") && !lower.startsWith("proxy-");
}
