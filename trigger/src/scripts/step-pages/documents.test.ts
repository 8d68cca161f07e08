import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

import { registry } from "../../tasks/steps/registry";
import type { AnyStepDefinition } from "../../tasks/steps/step";
import { stepDocuments } from "./documents";
import { stepPage } from "./step-page";

const root = new URL("../../../../", import.meta.url);
const documents = await stepDocuments();

describe("the generated documents", () => {
  test.each(documents.map(({ file, text }) => [basename(file.pathname), file, text] as const))(
    "%s is what the definitions say: otherwise run npm run gen-step-pages",
    (_, file, text) => {
      expect(existsSync(file) ? readFileSync(file, "utf8") : "").toBe(text);
    },
  );

  test("are all there is in docs/steps", () => {
    const pages = readdirSync(new URL("docs/steps", root)).sort();
    expect(pages).toEqual(registry.map(({ slug }) => `${slug}.md`));
  });

  test("have a table of all steps in docs/steps.md", () => {
    const page = readFileSync(new URL("docs/steps.md", root), "utf8");
    for (const { slug } of registry) expect(page).toContain(`\n| [\`${slug}\`](steps/${slug}.md) |`);
  });
});

describe.each(registry.map((definition) => [definition.slug, definition] as const))("%s", (slug, definition) => {
  test("declares each reason that its source names, and no other", () => {
    const folder = new URL(`trigger/src/tasks/steps/${slug}/`, root);
    const files = readdirSync(folder).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
    const source = files.map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");
    const named = source.matchAll(/(?:\b(?:reject|drop)\(\s*\w+,\s*|\breason: )"([a-z_]+)"/g);
    const declared = [...Object.keys(definition.rejects), ...Object.keys(definition.drops)];
    expect(new Set(declared)).toEqual(new Set([...named].map(([, reason]) => reason)));
  });

  test("has an example in which a record passes", async () => {
    expect(await stepPage(definition)).toMatch(/\nbecome\n\n```json\n\{/);
  });
});

describe("the step in docs/steps.md", () => {
  test("does what its description says", async () => {
    const page = readFileSync(new URL("docs/steps.md", root), "utf8");
    const source = /```ts\n([^]*?)```/.exec(page)?.[1] ?? "";
    const lines = source.trimEnd().split("\n").length;
    expect(lines).toBeLessThanOrEqual(30);
    // The folder is ignored by git, the linters and the compiler.
    const folder = new URL("trigger/.trigger/documented-step/", root);
    mkdirSync(folder, { recursive: true });
    writeFileSync(new URL("index.ts", folder), source.replace('"../step"', '"../../src/tasks/steps/step"'));
    const file = fileURLToPath(new URL("index.ts", folder));
    const { requireField } = (await import(/* @vite-ignore */ file)) as { requireField: AnyStepDefinition };
    const parts = (await stepPage(requireField)).split(/\n(?=## |become|The step rejects)/);
    expect(parts.find((part) => part.startsWith("become"))).toContain('"id": "1"');
    expect(parts.find((part) => part.startsWith("The step rejects"))).toContain('"reason": "field_missing"');
    expect(parts.find((part) => part.startsWith("## Config"))).toContain("| `field` | required | text |");
  });
});
