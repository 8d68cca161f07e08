import { Agent, request } from "undici";
import { z } from "zod";

const rpcErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().nullable().default(null),
  details: z.string().nullable().default(null),
});

/** PostgREST's description of a refused call. */
export type RpcError = z.infer<typeof rpcErrorSchema>;

/** `unavailable`: no answer tells whether the call was executed. */
export type RpcAnswer =
  | { kind: "answered"; data: unknown }
  | { kind: "refused"; status: number; error: RpcError }
  | { kind: "unavailable"; cause: unknown };

export interface RpcOptions {
  headers: Record<string, string>;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/**
 * Refusals that pass: the database accepts no writes before a failover (25006), or PostgREST does not know the function
 * because it has not reloaded its schema after a migration (PGRST202).
 */
const passingCodes: ReadonlySet<string> = new Set(["25006", "PGRST202"]);

// A pool of its own, so that no other request waits behind large chunks. All runs of the process share it.
const agent = new Agent();

/**
 * Calls a function over PostgREST. postgrest-js does not fit: neither its timeout nor an abort reaches the body of the
 * answer, and it passes each value of a chunk through a function. Rejects only when `signal` aborts.
 */
export async function callRpc(
  url: string,
  args: Record<string, unknown>,
  { headers, timeoutMs, signal }: RpcOptions,
): Promise<RpcAnswer> {
  signal?.throwIfAborted();
  const body = JSON.stringify(args);
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await request(url, {
      method: "POST",
      headers: { accept: "application/json", "content-type": "application/json", ...headers },
      body,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      dispatcher: agent,
    });
    const { statusCode: status } = response;
    const text = await response.body.text();
    if (status >= 200 && status < 300) return { kind: "answered", data: text === "" ? null : JSON.parse(text) };
    if (status === 408 || status === 429 || status >= 500) {
      return { kind: "unavailable", cause: new Error(`The Data API answered ${status}.`) };
    }
    const error = errorOf(text);
    if (passingCodes.has(error.code)) return { kind: "unavailable", cause: error };
    return { kind: "refused", status, error };
  } catch (error) {
    signal?.throwIfAborted();
    return { kind: "unavailable", cause: error };
  }
}

/** A refusal that does not come from PostgREST, but from a proxy for instance, has no code. */
function errorOf(text: string): RpcError {
  try {
    const parsed = rpcErrorSchema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
  } catch {
    // The text is not JSON.
  }
  return { code: "", message: text.slice(0, 500), hint: null, details: null };
}
