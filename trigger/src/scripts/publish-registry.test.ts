import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { registry } from "../tasks/steps/registry";
import { describeStep } from "../tasks/steps/step";
import { DataApiServer, secretKey } from "../testing/data-api-server";

const folder = fileURLToPath(new URL("../..", import.meta.url));

let server: DataApiServer;
beforeEach(async () => {
  server = await DataApiServer.start();
});
afterEach(() => server.stop());

async function publish(environment: Record<string, string>): Promise<{ code: number; output: string }> {
  const options = { cwd: folder, env: { PATH: process.env.PATH, ...environment } };
  const script = ["--import", "tsx", "src/scripts/publish-registry.ts"];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, script, options);
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return { code, output: stderr };
  }
}

describe("npm run publish-registry", () => {
  test("prints what it published, and a repeat changes nothing", async () => {
    const environment = { SUPABASE_URL: server.url, SUPABASE_SECRET_KEY: secretKey };
    const count = registry.length;
    expect(await publish(environment)).toEqual({ code: 0, output: `published ${count} steps, 0 unchanged\n` });
    const repeated = await server.client().publishSteps(registry.map(describeStep));
    expect(repeated).toEqual({ published: 0, unchanged: count });
    expect(server.schema.published.size).toBe(count);
  });

  test("exits 1 with a sentence when a published version would change", async () => {
    const [first] = registry;
    if (!first) throw new Error("The registry is empty.");
    server.schema.published.set(`${first.slug}@${first.version}`, { ...describeStep(first), task_id: "another" });
    const { code, output } = await publish({ SUPABASE_URL: server.url, SUPABASE_SECRET_KEY: secretKey });
    expect(code).toBe(1);
    expect(output).toContain("The step registry was not published: Refused: step_version_conflict.");
  });

  test("exits 1 and names the variable when the environment is incomplete", async () => {
    const { code, output } = await publish({ SUPABASE_URL: server.url });
    expect(code).toBe(1);
    expect(output).toContain("SUPABASE_SECRET_KEY");
  });
});
