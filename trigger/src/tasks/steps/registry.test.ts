import { resourceCatalog } from "@trigger.dev/core/v3";
import { existsSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";

import { importTasks } from "../../testing/task-functions";
import { findStep, registry } from "./registry";
import { describeStep } from "./step";

beforeAll(() => importTasks(() => import("../step-tasks")));

describe.each(registry.map((definition) => [definition.slug, definition] as const))("%s", (slug, definition) => {
  test("lives in the folder of its name and is found by it", () => {
    expect(existsSync(new URL(`${slug}/index.ts`, import.meta.url))).toBe(true);
    expect(findStep(slug)).toBe(definition);
  });

  test("publishes JSON Schemas of objects", () => {
    const described = describeStep(definition);
    for (const schema of [described.config_schema, described.input_schema, described.output_schema]) {
      expect(schema).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema", type: "object" });
    }
    expect(described.version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test("has a task of its own exactly when it calls the outside world", () => {
    expect(resourceCatalog.taskExists(slug)).toBe(definition.executionMode === "task");
  });
});
