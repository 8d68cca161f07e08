import { resourceCatalog } from "@trigger.dev/core/v3";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { describeStep, findStep, registry } from ".";
import { DataApiServer, secretKey } from "../../testing/data-api-server";
import { importTasks } from "../../testing/task-functions";

const folder = fileURLToPath(new URL("../../..", import.meta.url));

describe.each(registry.map((definition) => [definition.slug, definition] as const))("%s", (slug, definition) => {
  test("lives in the folder of its name and is found by it", () => {
    expect(existsSync(`${folder}/src/tasks/steps/${slug}/index.ts`)).toBe(true);
    expect(findStep(slug)).toBe(definition);
  });

  test("publishes JSON Schemas of objects", () => {
    const described = describeStep(definition);
    for (const schema of [described.config_schema, described.input_schema, described.output_schema]) {
      expect(schema).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema", type: "object" });
    }
    expect(described.version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test("has a task of its own exactly when it calls the outside world", async () => {
    await importTasks(async () => {
      const file = `./${slug}/index.ts?own-task`;
      await import(/* @vite-ignore */ file);
    });
    expect(resourceCatalog.taskExists(slug)).toBe(definition.executionMode === "task");
  });
});

describe("npm run publish-registry", () => {
  let server: DataApiServer;
  beforeEach(async () => {
    server = await DataApiServer.start();
  });
  afterEach(() => server.stop());

  async function publish(environment: Record<string, string>): Promise<{ code: number; output: string }> {
    const options = { cwd: folder, env: { PATH: process.env.PATH, ...environment } };
    try {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--import", "tsx", "src/scripts/publish-registry.ts"],
        options,
      );
      return { code: 0, output: stdout };
    } catch (error) {
      const { code, stderr } = error as { code: number; stderr: string };
      return { code, output: stderr };
    }
  }

  test("says what it published, and a repeat changes nothing", async () => {
    const environment = { SUPABASE_URL: server.url, SUPABASE_SECRET_KEY: secretKey };
    const count = registry.length;
    expect(await publish(environment)).toEqual({ code: 0, output: `published ${count} steps, 0 unchanged\n` });
    expect(await publish(environment)).toEqual({ code: 0, output: `published 0 steps, ${count} unchanged\n` });
    expect(server.schema.published.size).toBe(count);
  }, 120_000);

  test("exits 1 with a sentence when a published version would do something else", async () => {
    const [first] = registry;
    if (!first) throw new Error("The registry is empty.");
    server.schema.published.set(`${first.slug}@${first.version}`, { ...describeStep(first), task_id: "another" });
    const { code, output } = await publish({ SUPABASE_URL: server.url, SUPABASE_SECRET_KEY: secretKey });
    expect(code).toBe(1);
    expect(output).toContain("The step registry was not published: Refused: step_version_conflict.");
  }, 120_000);

  test("exits 1 and names the variable when the environment is not complete", async () => {
    const { code, output } = await publish({ SUPABASE_URL: server.url });
    expect(code).toBe(1);
    expect(output).toContain("SUPABASE_SECRET_KEY");
  }, 120_000);
});
