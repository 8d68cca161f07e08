import { readFileSync } from "node:fs";

import { registry } from "../../tasks/steps/registry";
import { stepIndex, stepPage } from "./step-page";

const docs = new URL("../../../../docs/", import.meta.url);
const table = /(<!-- npm run gen-step-pages in trigger\/ writes this table. -->\n)[^]*(<!-- end of the table -->)/;

/** The generated documents with their text: a page for each step, and docs/steps.md with its table of all steps. */
export async function stepDocuments(): Promise<{ file: URL; text: string }[]> {
  const pages = registry.map(async (definition) => ({
    file: new URL(`steps/${definition.slug}.md`, docs),
    text: await stepPage(definition),
  }));
  const file = new URL("steps.md", docs);
  const text = readFileSync(file, "utf8").replace(table, `$1\n${stepIndex(registry)}\n\n$2`);
  return [...(await Promise.all(pages)), { file, text }];
}
