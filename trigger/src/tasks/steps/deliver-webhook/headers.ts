const OWN_HEADERS = [
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
];
const OWN_PREFIXES = ["webhook-", "proxy-"];

/** A pattern in a published schema has no flags. */
function inAnyCase(text: string): string {
  return text.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}

/**
 * The names of headers that a config may set. Framing, content type, name, trace and signature are the delivery's;
 * `webhook-` is reserved by Standard Webhooks.
 */
export const HEADER_NAME = new RegExp(
  `^(?!(?:${OWN_HEADERS.map(inAnyCase).join("|")})$)(?!${OWN_PREFIXES.map(inAnyCase).join("|")})` +
    "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$",
);
