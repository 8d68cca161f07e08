import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { stepTaskPayloadSchema } from "../worker-api/claim";
import { DataApiServer } from "../testing/data-api-server";
import { chunksOf, runOn, stepOf } from "../testing/pipeline";
import { StepRemarks } from "./step-remarks";

const columns = [{ name: "Firma", filled: 4, capitals: 4, lower_case: 0, numeric: 0 }];

describe("in a run", () => {
  let server: DataApiServer;
  beforeEach(async () => {
    server = await DataApiServer.start();
  });
  afterEach(() => server.stop());

  const telling = stepOf("telling", {
    prepareBatch: ({ warn }) => {
      warn("group_too_large", "Many records share a domain.", { domain: "acme.com" });
      return Promise.resolve(undefined);
    },
    processChunk: (records, { warn, reportColumns, columns: seen }) => {
      warn("no_column_recognised", "No column is known.", { columns: seen.map(({ name }) => name) });
      reportColumns(seen.map(({ name }) => ({ name, field: "name" })));
      return { records, rejected: [], dropped: [] };
    },
  });

  test("a step sees the submission's columns, and what it says of them is kept once", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(3), [{ slug: "telling" }, { slug: "quiet" }], columns);
    await runOn(server, run.id, [telling, stepOf("quiet")]);
    expect(steps[0]?.warnings).toEqual([
      { code: "group_too_large", message: "Many records share a domain.", details: { domain: "acme.com" } },
      { code: "no_column_recognised", message: "No column is known.", details: { columns: ["Firma"] } },
    ]);
    expect(steps[0]?.columns).toEqual([{ name: "Firma", field: "name" }]);
    expect(steps[1]).toMatchObject({ warnings: [], columns: undefined });
    expect(Object.keys(server.callsOf("end_step")[1]?.args ?? {})).not.toContain("p_warnings");
  });

  test("what a step said before an error of its own is kept when it goes on", async () => {
    const { run, steps } = server.schema.addRun(chunksOf(3), [{ slug: "telling" }], columns);
    server.failNext("write_chunk", { status: 503 }, { status: 503 }, { status: 503 });
    await runOn(server, run.id, [telling]);
    expect(steps[0]?.warnings.map(({ code }) => code)).toEqual(["group_too_large", "no_column_recognised"]);
  });

  test("a step with a task of its own gets the columns with its payload", async () => {
    const outside = stepOf("outside", { executionMode: "task" });
    const { run } = server.schema.addRun(chunksOf(1), [{ slug: "outside", execution_mode: "task" }], columns);
    const payloads: unknown[] = [];
    await runOn(server, run.id, [outside], {
      runStepTask: (payload) => {
        payloads.push(payload);
        server.schema.cancel(run.id);
        return Promise.resolve({ ok: true });
      },
    });
    expect(stepTaskPayloadSchema.parse(payloads[0]).columns).toEqual(columns);
  });
});

describe("a remark that the database would refuse is cut", () => {
  const warningsOf = (say: (remarks: StepRemarks) => void) => {
    const remarks = new StepRemarks();
    say(remarks);
    return remarks.all.warnings;
  };

  test("to 20 warnings of 500 characters and 4 kB of details", () => {
    const warnings = warningsOf(({ warn }) => {
      warn("long", "ä😀".repeat(300), { value: "ä".repeat(2_100) });
      for (let number = 0; number < 30; number++) warn("many", `Warning ${number}.`, { number });
    });
    expect(warnings).toHaveLength(20);
    expect([...(warnings[0]?.message ?? "")]).toHaveLength(500);
    expect(warnings[0]?.details).toEqual({ truncated: true });
    expect(warnings[1]).toEqual({ code: "many", message: "Warning 0.", details: { number: 0 } });
  });

  test("to 2,000 columns with names that fit", () => {
    const remarks = new StepRemarks();
    const names = ["", "x".repeat(256), ...Array.from({ length: 2_100 }, (_, number) => `column ${number}`)];
    remarks.reportColumns(names.map((name) => ({ name, field: null })));
    expect(remarks.all.columns).toHaveLength(2_000);
    expect(remarks.all.columns?.[0]).toEqual({ name: "column 0", field: null });
  });

  test("but a code that is not snake_case is a defect of the step", () => {
    expect(() => warningsOf(({ warn }) => warn("Not so", "x"))).toThrow("not snake_case");
  });
});
