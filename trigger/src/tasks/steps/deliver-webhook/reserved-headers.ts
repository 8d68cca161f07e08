// prettier-ignore
const RESERVED_HEADERS = [
  "idempotency-key", "traceparent", "tracestate", "host", "content-type", "content-length", "content-encoding",
  "transfer-encoding", "connection", "keep-alive", "upgrade", "expect", "te", "trailer",
];
const RESERVED_PREFIXES = ["webhook-", "proxy-"];

/** A pattern in a published schema has no flags. */
function inAnyCase(names: readonly string[]): string {
  return names.map((name) => name.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)).join("|");
}

/**
 * The headers that a config may set. The delivery itself sets framing, content type, name, trace and signature; Standard
 * Webhooks reserves `webhook-`.
 */
export const HEADER_NAME = new RegExp(
  `^(?!(?:${inAnyCase(RESERVED_HEADERS)})$)(?!${inAnyCase(RESERVED_PREFIXES)})[A-Za-z0-9!#$%&'*+.^_\`|~-]{1,100}$`,
);
