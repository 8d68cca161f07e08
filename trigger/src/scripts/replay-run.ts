import { Console } from "node:console";
import { text } from "node:stream/consumers";

import { env } from "../env";
import { recordedRunSchema } from "./replay/recorded-run";
import { replayRun } from "./replay/replay";

// Standard output carries the events alone; the steps' own log lines go to standard error.
globalThis.console = new Console(process.stderr);

const run = recordedRunSchema.parse(JSON.parse(await text(process.stdin)));
const { SUPABASE_URL, SUPABASE_SECRET_KEY } = env();
await replayRun(run, { supabaseUrl: SUPABASE_URL, secretKey: SUPABASE_SECRET_KEY }, (event) => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
});
