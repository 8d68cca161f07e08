// The Data API (/rest/v1) and Auth (/auth/v1) of Supabase Lite, on our PostgreSQL, as web request handlers.
import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { App } from "@supabase/lite";
import { PostgresConnection } from "@supabase/lite/postgres";
import { readClaims, signToken } from "./jwt.mjs";
import { MailFolder } from "./mail.mjs";

// Lite serialises RPC arguments before the driver does, so the driver must not encode strings again.
const asIs = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const types = {
  json: { to: 114, from: [114], serialize: asIs, parse: JSON.parse },
  jsonb: { to: 3802, from: [3802], serialize: asIs, parse: JSON.parse },
};

/**
 * Serves requests as hosted Supabase does: logged in as `authenticator`, which can only become the API roles, and
 * under the limits of that role. `catalogue` reads the schema, since it may see all of it.
 */
class DataApiConnection extends PostgresConnection {
  #catalogue;
  #schemaVersion = 0;

  constructor(options, catalogue) {
    super(options);
    this.#catalogue = catalogue;
  }

  // Lite would grant the API roles everything in each schema with row-level security. Here only migrations grant,
  // and every request runs as the role of its token.
  async ensureRlsContext() {
    return true;
  }

  async introspect(options) {
    const version = this.#schemaVersion;
    const schema = await this.#catalogue.introspect(options);
    if (version !== this.#schemaVersion) await this.#catalogue.clearSchemaCache(); // it is already outdated
    return schema;
  }

  async clearSchemaCache() {
    this.#schemaVersion += 1;
    await this.#catalogue.clearSchemaCache();
  }
}

/** The Data API; follows `notify pgrst, 'reload schema'` as PostgREST does. */
export async function startDataApi({ url, catalogueUrl, config }) {
  const catalogue = new PostgresConnection({ url: catalogueUrl, postgresOptions: { types, max: 2 } });
  const session = { search_path: config.api.extra_search_path.join(", ") };
  const connection = new DataApiConnection(
    { url, postgresOptions: { types, max: 10, connection: session } },
    catalogue,
  );
  await catalogue.driver.listen("pgrst", () => connection.clearSchemaCache());
  const options = { server: { middlewares: [trustVerifiedTokens] } };
  const app = new App({ connection, ...config, auth: { ...config.auth, enabled: false }, options });
  const fetch = async (request) => asPostgrest(await app.fetch(request));
  return { fetch, stop: () => Promise.all([connection.close(), catalogue.close()]) };
}

const CONNECTION_LOST = /\b(ECONNREFUSED|ECONNRESET|EPIPE|CONNECT_TIMEOUT|CONNECTION_(CLOSED|DESTROYED|ENDED))\b/;

/** Turns Lite's 500 for a lost database into PostgREST's answer, a 503 with its code. */
async function asPostgrest(response) {
  if (response.status !== 500) return response;
  const text = await response.clone().text();
  if (!text.includes('"SUP"') || !CONNECTION_LOST.test(text)) return response;
  const message = "Database connection error. Retrying the connection.";
  return Response.json({ code: "PGRST000", details: null, hint: null, message }, { status: 503 });
}

/** Skips Lite's look-up of the user and the session of a verified token, since PostgREST makes none. */
async function trustVerifiedTokens(context, next) {
  context.set("authService", { repo: { findUserById: async () => true, findSessionById: async () => true } });
  await next();
}

/** Starts Auth and creates its tables. Connects as their owner, so triggers on them have the rights of hosted ones. */
export async function startAuth({ url, config, publicUrl, mailDirectory }) {
  const connection = new PostgresConnection({ url, postgresOptions: { types, max: 4, onnotice() {} } });
  const redirect = new AsyncLocalStorage();
  const askedRedirect = () => redirect.getStore();
  const email = new MailFolder({ directory: mailDirectory, siteUrl: config.auth.site_url, publicUrl, askedRedirect });
  const app = new App({ connection, ...config, options: { drivers: { email } } });
  await app.ensureSystemSchema();
  await connection.driver.unsafe(readFileSync(new URL("auth.sql", import.meta.url), "utf8"));
  await connection.driver`select 1 from auth.users limit 1`; // Lite hides errors of their creation
  const issuer = `${publicUrl}/auth/v1`;
  const secret = config.auth.jwt_secret;
  const userOf = async (token) => {
    const headers = { apikey: config.auth.publishable_key, authorization: `Bearer ${token}` };
    return (await app.fetch(new Request(`${publicUrl}/auth/v1/user`, { headers }))).json();
  };
  const fetch = async (request) => {
    if (request.method === "OPTIONS") return preflight(request);
    const { pathname, searchParams } = new URL(request.url);
    const known = pathname === "/auth/v1/verify" && request.method === "POST" ? await ofKnownType(request) : request;
    const response = await redirect.run(searchParams.get("redirect_to"), () => app.fetch(known));
    if (response.status === 303) return asHostedRedirect(response, issuer, secret, userOf);
    return asHostedAuth(response, issuer, secret);
  };
  return { fetch, stop: () => connection.close() };
}

/** Lite lacks the type `email`, by which supabase-js verifies the code of any sign-in e-mail. Lite sends one kind. */
async function ofKnownType(request) {
  const body = await request.text();
  return new Request(request, { body: body.replace(/("type"\s*:\s*)"email"/, '$1"magiclink"') });
}

/** Lets a page of any origin call Auth, as hosted Auth does. Lite does not allow the headers that supabase-js sends. */
function preflight(request) {
  const headers = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers": request.headers.get("access-control-request-headers") ?? "",
    "access-control-max-age": "3600",
  };
  return new Response(null, { status: 204, headers });
}

/**
 * Turns Lite's answers into those of hosted Auth: access tokens have the issuer and the user's metadata, and times
 * are RFC 3339, which Supabase's Python client requires.
 */
async function asHostedAuth(response, issuer, secret) {
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  if (!isJson || response.body === null) return response;
  const body = JSON.parse(await response.text(), (name, value) => (name.endsWith("_at") ? asRfc3339(value) : value));
  if (body?.access_token) body.access_token = asHostedToken(body.access_token, body.user, issuer, secret);
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return Response.json(body, { status: response.status, headers });
}

/** The same for the link of an e-mail, which hands the session to the frontend in the fragment of a URL. */
async function asHostedRedirect(response, issuer, secret, userOf) {
  const target = new URL(response.headers.get("location"));
  const session = new URLSearchParams(target.hash.slice(1));
  const token = session.get("access_token");
  if (!token) return response;
  session.set("access_token", asHostedToken(token, await userOf(token), issuer, secret));
  target.hash = session.toString();
  const headers = new Headers(response.headers);
  headers.set("location", target.toString());
  return new Response(null, { status: 303, headers });
}

function asHostedToken(token, user, issuer, secret) {
  const { app_metadata, user_metadata, phone, is_anonymous } = user;
  const claims = { iss: issuer, aal: "aal1", app_metadata, user_metadata, phone, is_anonymous };
  return signToken({ ...readClaims(token), ...claims }, secret);
}

function asRfc3339(value) {
  return typeof value === "string" && value.endsWith("+00") ? value.replace(" ", "T").replace("+00", "Z") : value;
}
