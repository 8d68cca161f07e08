import { Agent, request } from "undici";
import { z } from "zod";

const rpcErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().nullable().default(null),
  details: z.string().nullable().default(null),
});

/** What PostgREST says of a refused call. */
export type RpcError = z.infer<typeof rpcErrorSchema>;

/** `unavailable`: there was no answer that says anything about the call, which may or may not have been executed. */
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
 * Refusals that say nothing of the call: the database accepts no writes since another server is to take over (25006), or
 * PostgREST does not know the function, since it has not yet read the schema anew after migrations (PGRST202).
 */
const passingCodes: ReadonlySet<string> = new Set(["25006", "PGRST202"]);

// Of its own, so that nothing else waits behind large chunks; the connections are shared by all runs of the process.
const agent = new Agent();

/**
 * One call of a function over PostgREST. Not with postgrest-js: there neither the timeout nor an abort reaches the body of
 * the answer, and each value of a chunk that is sent goes through a function. Rejects only when `signal` aborts.
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

/** Whoever refuses without PostgREST's words (a proxy, for instance) leaves no code. */
function errorOf(text: string): RpcError {
  try {
    const parsed = rpcErrorSchema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
  } catch {
    // Not JSON.
  }
  return { code: "", message: text.slice(0, 500), hint: null, details: null };
}
