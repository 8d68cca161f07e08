// The stand-in for hosted Supabase: PostgreSQL, the Data API and Auth, on one address. It reads its settings from
// the environment (local/supabase_server.py writes them). It ends when it is told to, when a part of it ends, or
// when the process that started it is gone.
import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import postgres from "postgres";
import { startGateway } from "./postgrest-gateway.mjs";
import { startAuth, startDataApi } from "./lite.mjs";
import { startPostgres } from "./postgres.mjs";

const {
  directory,
  mail_directory: mailDirectory,
  cluster,
  durable,
  url,
  ports,
  passwords,
  keys,
  jwt_secret: jwtSecret,
  config,
  postgrest_bin: postgrestBin,
} = JSON.parse(process.env.SUPABASE_SERVER_SETTINGS);
delete process.env.SUPABASE_SERVER_SETTINGS; // child processes do not need it
const parts = [];
const MOST_MS_TO_CLOSE = 2_000;

async function start() {
  mkdirSync(directory, { recursive: true });
  const database = await startPostgres({
    dataDir: join(directory, "data"),
    template: cluster,
    durable,
    port: ports.postgres,
    superuser: "supabase_admin",
    password: passwords.supabase_admin,
  });
  watch("PostgreSQL", database);
  await prepareRoles(database.url);

  const databaseUrl = (role) => `postgres://${role}:${passwords[role]}@127.0.0.1:${ports.postgres}/postgres`;
  const liteConfig = {
    api: config.api,
    auth: { ...config.auth, jwt_secret: jwtSecret, publishable_key: keys.publishable, secret_key: keys.secret },
    db: { migrations: { enabled: false } }, // the Supabase CLI keeps the history of migrations
  };
  const auth = await startAuth({
    url: databaseUrl("supabase_auth_admin"),
    config: liteConfig,
    publicUrl: url,
    mailDirectory,
  });
  parts.push(auth);
  const answerAuth = getRequestListener(auth.fetch);
  const answerDataApi = await dataApi({ databaseUrl, liteConfig, superuserUrl: database.url });

  const server = createServer((request, response) => {
    if (/^\/rest\/v1(\/|\?|$)/.test(request.url)) answerDataApi(request, response);
    else answerAuth(request, response);
  });
  parts.push({
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(ports.supabase, "127.0.0.1", resolve));
  console.log(`Supabase listens on ${url}`);
}

async function dataApi({ databaseUrl, liteConfig, superuserUrl }) {
  if (postgrestBin) return postgrest(databaseUrl("authenticator"));
  const lite = await startDataApi({
    url: databaseUrl("authenticator"),
    catalogueUrl: superuserUrl,
    config: liteConfig,
  });
  parts.push(lite);
  return getRequestListener(lite.fetch);
}

/** Starts PostgREST at the first request, since it reads the schema as it starts, and migrations come first. */
function postgrest(databaseUrl) {
  let gateway;
  return (request, response) => {
    if (!gateway) {
      const listen = { port: ports.postgrest, adminPort: ports.postgrest_admin };
      gateway = startGateway({ bin: postgrestBin, databaseUrl, ...listen, api: config.api, keys, jwtSecret });
      watch("PostgREST", gateway);
    }
    gateway.handle(request, response);
  };
}

async function prepareRoles(superuserUrl) {
  const superuser = postgres(superuserUrl, { max: 1, onnotice() {} });
  try {
    await superuser.unsafe(readFileSync(new URL("roles.sql", import.meta.url), "utf8"));
    for (const role of ["postgres", "authenticator", "supabase_auth_admin"]) {
      await superuser.unsafe(`alter role ${role} password '${passwords[role]}'`);
    }
  } finally {
    await superuser.end();
  }
}

function watch(name, part) {
  parts.push(part);
  part.exited.then(
    (code) => stop(1, `${name} stopped (${code}).`),
    (error) => stop(1, error.message),
  );
}

let stopping = false;
async function stop(code, reason) {
  if (stopping) return;
  stopping = true;
  if (reason) console.error(reason);
  for (const part of parts.reverse()) {
    try {
      // Processes end. A connection waits for the answers to its queries, for ever if the database was killed.
      await (part.exited ? part.stop() : Promise.race([part.stop(), delay(MOST_MS_TO_CLOSE)]));
    } catch (error) {
      console.error(error); // and stop the other parts
    }
  }
  process.exit(code);
}

process.on("SIGTERM", () => stop(0));
process.on("SIGINT", () => stop(0));
process.stdin.on("end", () => stop(0)).resume(); // the process that started this one holds the other end
start().catch((error) => stop(1, error.message));
