import { Agent, request, type Dispatcher } from "undici";

import { longestRetryAfterMs } from "../../../errors";
import { publicLookup, RefusedAddressError, refusePrivateHost } from "./address-guard";

export interface Post {
  url: string;
  headers: Record<string, string>;
  body: string;
  timeoutMs: number;
  signal: AbortSignal;
  allowPrivateAddresses: boolean;
}

/** The result of one request. */
export type Answer =
  | { kind: "answered"; status: number; excerpt: string; location: string | null; retryAfterMs: number | null }
  | { kind: "unreachable"; cause: string }
  | { kind: "refused" };

const MAX_EXCERPT_BYTES = 2_000;
const MAX_EXCERPT_LENGTH = 500;

// Connections stay open between batches, for a few idle seconds. Agents never follow redirects.
const publicAgent = new Agent({ connect: { lookup: publicLookup } });
const anyAgent = new Agent();

/** Sends one request. Rejects only when `signal` aborts; any other result is an `Answer`. */
export async function post({ url, headers, body, timeoutMs, signal, allowPrivateAddresses }: Post): Promise<Answer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    if (!allowPrivateAddresses) refusePrivateHost(new URL(url).hostname);
    const response = await request(url, {
      method: "POST",
      headers,
      body,
      signal: AbortSignal.any([signal, timeout]),
      dispatcher: allowPrivateAddresses ? anyAgent : publicAgent,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    const [location, retryAfter] = ["location", "retry-after"].map((name) => [response.headers[name]].flat()[0]);
    return {
      kind: "answered",
      status: response.statusCode,
      excerpt: await readExcerpt(response.body),
      location: location?.slice(0, 500) ?? null,
      retryAfterMs: parseRetryAfter(retryAfter, Date.now()),
    };
  } catch (error) {
    signal.throwIfAborted();
    if (isRefusal(error)) return { kind: "refused" };
    return { kind: "unreachable", cause: timeout.aborted ? "timeout" : causeOf(error) };
  }
}

/** `Retry-After` (seconds or a date) in milliseconds, limited to the longest wait; null when it is neither. */
export function parseRetryAfter(value: string | undefined, now: number): number | null {
  if (value === undefined) return null;
  if (/^\s*\d+\s*$/.test(value)) return Math.min(Number(value) * 1000, longestRetryAfterMs);
  // All date formats of HTTP begin with the day's name; Date.parse alone would accept "5.5".
  const date = /^\s*[A-Z][a-z]{2,8},? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? null : Math.min(Math.max(0, date - now), longestRetryAfterMs);
}

/** The beginning of the answer as printable text. A large, endless or broken answer is cut: the status is known. */
async function readExcerpt(body: Dispatcher.ResponseData["body"]): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= MAX_EXCERPT_BYTES) break;
    }
  } catch {
    // The part that has arrived is enough for the author of the blueprint.
  }
  const text = Buffer.concat(chunks).subarray(0, MAX_EXCERPT_BYTES).toString("utf8");
  return text
    .replace(/[\p{Cc}\p{Cs}\s]+/gu, " ")
    .trim()
    .slice(0, MAX_EXCERPT_LENGTH)
    .replace(/[\ud800-\udbff]$/, "");
}

function isRefusal(error: unknown): boolean {
  if (error instanceof RefusedAddressError) return true;
  return error instanceof AggregateError
    ? error.errors.some(isRefusal)
    : error instanceof Error && error.cause !== undefined && isRefusal(error.cause);
}

/** A short stable word such as `ECONNREFUSED`. An error message could name addresses of this network. */
function causeOf(error: unknown): string {
  if (error instanceof AggregateError) return causeOf(error.errors[0]);
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  if (typeof code === "string") return code;
  return error instanceof Error ? error.name : "unknown";
}
