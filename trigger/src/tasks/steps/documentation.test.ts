import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { describeStep, registry } from "../../registry";

const page = readFileSync(new URL("../../../../docs/steps.md", import.meta.url), "utf8");

/** The rows of the first config table in a step's section: field → default. */
function configTable(slug: string): Map<string, string> {
  const section = page.split(`\n## ${slug}\n`)[1]?.split("\n## ")[0] ?? "";
  const table = section.split("| config | default | meaning |")[1]?.split("\n\n")[0] ?? "";
  return new Map([...table.matchAll(/^\| `(\w+)` \| (.+?) \|/gm)].map(([, field = "", value = ""]) => [field, value]));
}

describe("docs/steps.md", () => {
  it.each(registry.map((definition) => [definition.slug, describeStep(definition)] as const))(
    "lists the config of %s, no more and no less, with its defaults",
    (slug, { config_schema: schema }) => {
      const properties = schema.properties as Record<string, { default?: unknown }>;
      const table = configTable(slug);
      expect([...table.keys()].sort()).toEqual(Object.keys(properties).sort());
      for (const [field, value] of table) {
        if (schema.required?.includes(field) === true) expect([field, value]).toEqual([field, "required"]);
        // Long lists are described instead of written out.
        else if (/^`/.test(value) && !value.includes("…")) {
          expect([field, value.replace(/^`|`$/g, "")]).toEqual([field, written(properties[field]?.default)]);
        }
      }
    },
  );
});

function written(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value).replaceAll(",", ", ").replaceAll('":', '": ');
}
