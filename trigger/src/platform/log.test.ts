import { apiClientManager } from "@trigger.dev/core/v3";
import { logger } from "@trigger.dev/sdk";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { DataApiUnavailableError, finalError, retryableError, RunEndedError } from "../errors";
import type { PipelineRecord, StepContext } from "../tasks/steps/step";
import { DataApiServer } from "../testing/data-api-server";
import { runOn, stepOf } from "../testing/pipeline";
import type { StepSetup } from "../testing/worker-schema";
import { describeError } from "./log";
import { startRuns } from "./starts";

const secret = "4711-Grace-Hopper";

interface Line {
  level: string;
  message: string;
  attributes: Record<string, unknown>;
}

let server: DataApiServer;
let lines: Line[];
beforeEach(async () => {
  server = await DataApiServer.start();
  lines = [];
  for (const level of ["debug", "info", "log", "warn", "error"] as const) {
    vi.spyOn(logger, level).mockImplementation((message, attributes) => {
      lines.push({ level, message, attributes: attributes ?? {} });
    });
  }
});
afterEach(async () => {
  vi.restoreAllMocks();
  await server.stop();
});

/** Chunks in which every text is the secret that the log must not contain. */
function secretChunks(chunks: number): PipelineRecord[][] {
  return Array.from({ length: chunks }, (_, chunk) => [{ id: String(chunk + 1), data: { [secret]: secret } }]);
}

function runWith(setup: Partial<StepSetup>, processChunk: (context: StepContext<unknown, unknown>) => void) {
  const { run } = server.schema.addRun(secretChunks(2), [{ slug: "keeps" }, { slug: "second", ...setup }]);
  const second = stepOf("second", {
    processChunk: (records, context) => {
      processChunk(context);
      return { records, rejected: [], dropped: [] };
    },
  });
  return { run, finished: runOn(server, run.id, [stepOf("keeps"), second]) };
}

function linesSaying(message: string): Line[] {
  return lines.filter((line) => line.message === message);
}

describe("a line", () => {
  test("names request, trace, org and run, and the step and chunk that it is about", async () => {
    const { run, finished } = runWith({}, () => undefined);
    await finished;
    expect(lines.length).toBeGreaterThan(6);
    for (const { message, attributes } of lines) {
      expect({ message, ...attributes }).toMatchObject({
        request_id: run.request_id,
        trace_id: run.trace_id,
        org_id: run.org_id,
        pipeline_run_id: run.id,
      });
    }
    expect(linesSaying("A chunk was written").map(({ attributes }) => attributes)).toMatchObject([
      { slug: "keeps", position: 1, chunk_index: 0 },
      { slug: "keeps", position: 1, chunk_index: 1 },
      { slug: "second", position: 2, chunk_index: 0 },
      { slug: "second", position: 2, chunk_index: 1 },
    ]);
    const [first] = linesSaying("A step succeeded");
    expect(first?.attributes).toMatchObject({ slug: "keeps", position: 1, attempt: 1 });
    expect(Object.keys(first?.attributes ?? {})).toEqual(
      expect.arrayContaining(["reading_ms", "processing_ms", "writing_ms"]),
    );
  });

  test("about a retried step says which chunk, which attempt and why", async () => {
    let failed = false;
    const retry = { max_attempts: 2, backoff: { initial_seconds: 0.001 } };
    const { finished } = runWith({ retry }, ({ chunkIndex }) => {
      if (chunkIndex === 1 && !failed) {
        failed = true;
        throw retryableError("webhook_unavailable", "The webhook answered 503.", { retryAfterMs: 3 });
      }
    });
    await finished;
    const about = { slug: "second", position: 2 };
    expect(linesSaying("A chunk failed")).toMatchObject([{ level: "warn", attributes: { ...about, chunk_index: 1 } }]);
    expect(linesSaying("A step will be tried again")).toMatchObject([
      { attributes: { ...about, attempt: 1, failures: 1, code: "webhook_unavailable", wait_ms: 3 } },
    ]);
    expect(linesSaying("A step succeeded").at(-1)).toMatchObject({ attributes: { ...about, attempt: 2 } });
  });

  test("about a run that could not be started names it", async () => {
    vi.spyOn(apiClientManager, "clientOrThrow").mockImplementation(() => {
      throw new Error(secret);
    });
    const start = { pipeline_run_id: "the-run", org_id: "the-org", idempotency_key: "the-key" };
    expect(await startRuns(server.client(), [start])).toBe(0);
    expect(lines).toMatchObject([{ level: "error", attributes: { pipeline_run_id: "the-run", org_id: "the-org" } }]);
    expect(JSON.stringify(lines)).not.toContain(secret);
  });
});

describe("records stay out of the log", () => {
  const refusal = (code: string, hint: string | null) => ({
    status: 409,
    body: JSON.stringify({ code, hint, message: `Key (name)=(${secret})`, details: `{"name":"${secret}"}` }),
  });

  test.each<[string, Partial<StepSetup>, () => void]>([
    ["a step that succeeds", {}, () => undefined],
    [
      "a defect whose text quotes a record",
      {},
      () => {
        throw new TypeError(`${secret} is not a function\n    at ${secret} (records.js:1:1)`);
      },
    ],
    [
      "a defect as the cause of a final error",
      {},
      () => {
        throw finalError("column_missing", "A column is missing.", {
          details: { value: secret },
          cause: new Error(secret, { cause: { code: secret, message: secret } }),
        });
      },
    ],
    [
      "a thrown value that is no error",
      {},
      () => {
        throw { [secret]: secret };
      },
    ],
    ["a step that may fail", { continue_on_error: true }, () => JSON.parse(`{"${secret}`)],
    ["a step that its condition skips", { run_if: "run.record_count > 100" }, () => undefined],
    ["a condition that cannot be evaluated for a record", { run_if: 'record["absent"] == 1' }, () => undefined],
    ["a condition that cannot be evaluated for the run", { run_if: "steps[7].records_out > 1" }, () => undefined],
    ["a write that a unique index refuses", {}, () => server.failNext("write_chunk", refusal("23505", null))],
    ["a write that a check constraint refuses", {}, () => server.failNext("write_chunk", refusal("23514", null))],
    ["an answer that is no JSON", {}, () => server.failNext("end_step", { status: 200, body: `{"${secret}` })],
  ])("%s", async (_, setup, processChunk) => {
    await runWith(setup, processChunk).finished;
    expect(lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(lines)).not.toContain(secret);
  });

  test("of an error only our own sentences and its stack frames are logged", () => {
    const ours = describeError(new DataApiUnavailableError("The Data API did not answer.", new Error(secret)));
    expect(ours).toMatchObject({
      name: "DataApiUnavailableError",
      code: "data_api_unavailable",
      message: "The Data API did not answer.",
      cause: { name: "Error" },
    });
    expect(describeError(new RunEndedError("claim_lost", "Another worker owns it."))).toMatchObject({
      code: "claim_lost",
      message: "Another worker owns it.",
    });
    const defect = describeError(Object.assign(new RangeError(`${secret}\n    at x`), { code: "ERR_X", name: secret }));
    expect(defect).not.toHaveProperty("message");
    expect(defect).toMatchObject({ name: "Error", code: "ERR_X" });
    expect(defect.frames?.[0]).toMatch(/^at .*log\.test\.ts/);
    expect(JSON.stringify([ours, defect])).not.toContain(secret);
    expect(describeError(null)).toEqual({ name: "object" });
  });
});

test("every line of the worker goes through this log", () => {
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter(
    (path) => path.endsWith(".ts") && !/\.test\.ts$|\.types\.ts$/.test(path),
  );
  const logging = sources.filter((path) => {
    const source = readFileSync(join("src", path), "utf8");
    return /\bimport\b[^;]*\blogger\b|\bconsole\.|\bprocess\.std(out|err)\b/.test(source);
  });
  // The others are commands for people, run by hand.
  expect(logging.sort()).toEqual(["platform/log.ts", "scripts/publish-registry.ts", "scripts/replay-run.ts"]);
});

test("every message is a fixed sentence: everything that varies is an attribute of the closed list", () => {
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  const calls = sources.flatMap((path) => {
    const source = readFileSync(join("src", path), "utf8");
    return [...source.matchAll(/\b(?:[lL]og|logOf\w+\([^)]*\)|about\([^)]*\))\.(?:debug|info|warn|error)\(\s*(.)/g)];
  });
  expect(calls.length).toBeGreaterThan(15);
  expect(new Set(calls.map((call) => call[1]))).toEqual(new Set(['"']));
});
