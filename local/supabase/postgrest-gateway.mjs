// Serves /rest/v1 with a PostgREST executable. In front of it, as hosted Supabase's gateway does, a request with only
// an API key gets a short-lived token of the key's role; a user's own token passes through.
import { spawn } from "node:child_process";
import { request } from "node:http";
import { signToken } from "./jwt.mjs";

const TOKEN_LIFETIME_SECONDS = 60;
const MOST_MS_TO_STOP = 3_000;

/** Starts PostgREST and returns a Node request handler for /rest/v1. */
export function startGateway({ bin, databaseUrl, port, adminPort, api, keys, jwtSecret }) {
  const postgrest = spawn(bin, [], {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      PGRST_DB_URI: databaseUrl,
      PGRST_DB_SCHEMAS: api.schemas.join(","),
      PGRST_DB_EXTRA_SEARCH_PATH: api.extra_search_path.join(","),
      PGRST_DB_MAX_ROWS: String(api.max_rows),
      PGRST_DB_ANON_ROLE: "anon",
      PGRST_JWT_SECRET: jwtSecret,
      PGRST_SERVER_HOST: "127.0.0.1",
      PGRST_SERVER_PORT: String(port),
      PGRST_ADMIN_SERVER_PORT: String(adminPort),
    },
  });
  const exited = new Promise((resolve, reject) => {
    postgrest.once("error", () => reject(new Error(`POSTGREST_BIN cannot be run: ${bin}`)));
    postgrest.once("exit", (code, signal) => resolve(code ?? signal));
  });
  const stop = async () => {
    postgrest.kill("SIGTERM");
    // It waits for the answers to its queries, for ever if the database does not give them.
    const patience = setTimeout(() => postgrest.kill("SIGKILL"), MOST_MS_TO_STOP);
    await exited.catch(() => {});
    clearTimeout(patience);
  };
  const handle = (incoming, outgoing) => {
    const url = new URL(incoming.url, "http://localhost");
    const credential = authorize(incoming.headers, url.searchParams, { keys, jwtSecret });
    if (credential.refusal) {
      incoming.resume();
      outgoing.writeHead(401, { "content-type": "application/json" });
      outgoing.end(JSON.stringify(credential.refusal));
      return;
    }
    url.searchParams.delete("apikey");
    const { apikey: _, ...headers } = incoming.headers;
    const forwarded = request(
      {
        host: "127.0.0.1",
        port,
        method: incoming.method,
        path: (url.pathname.slice("/rest/v1".length) || "/") + url.search,
        headers: { ...headers, authorization: credential.authorization },
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
      },
    );
    forwarded.on("error", () => {
      if (outgoing.headersSent) return outgoing.destroy();
      outgoing.writeHead(503, { "content-type": "application/json" });
      outgoing.end(JSON.stringify({ message: "PostgREST does not answer" }));
    });
    outgoing.on("close", () => forwarded.destroy());
    incoming.pipe(forwarded);
  };
  return { handle, exited, stop };
}

/** Applies hosted Supabase's rule. Returns `{ authorization }` for PostgREST, or `{ refusal }`, the body of a 401. */
function authorize(headers, query, { keys, jwtSecret }) {
  const apiKey = headers.apikey ?? query.get("apikey");
  if (!apiKey) {
    const hint = "No `apikey` request header or url param was found.";
    return { refusal: { message: "No API key found in request", hint } };
  }
  const roles = new Map([
    [keys.publishable, "anon"],
    [keys.secret, "service_role"],
  ]);
  const role = roles.get(apiKey);
  if (!role) return { refusal: { message: "Invalid API key", hint: "Double check your Supabase `apikey`" } };
  const bearer = /^Bearer\s+(.+)$/i.exec(headers.authorization ?? "")?.[1];
  const ownToken = bearer && bearer !== apiKey && !bearer.startsWith("sb_");
  return { authorization: ownToken ? headers.authorization : `Bearer ${mintToken(role, jwtSecret)}` };
}

function mintToken(role, jwtSecret) {
  const now = Math.floor(Date.now() / 1000);
  return signToken({ role, iat: now, exp: now + TOKEN_LIFETIME_SECONDS }, jwtSecret);
}
