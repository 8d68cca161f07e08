import { existsSync, readFileSync } from "node:fs";
import { format } from "prettier";

import { type AnyStepDefinition, describeStep } from "../../tasks/steps/step";
import { asRecords, runStep } from "../../testing/run-step";
import { configTable } from "./config-table";

/** The Markdown that the step's folder adds to the page, below the generated parts. */
function remarksOn({ slug }: AnyStepDefinition): string {
  const file = new URL(`../../tasks/steps/${slug}/page.md`, import.meta.url);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** The step's page: its definition, its example as the step executes it, and the remarks from its folder. */
export async function stepPage(definition: AnyStepDefinition): Promise<string> {
  const { slug, title, description, version, executionMode } = definition;
  const place = executionMode === "inline" ? "inline, inside the pipeline's task" : "as a task of its own";
  const parts = [
    `<!-- npm run gen-step-pages in trigger/ writes this page from trigger/src/tasks/steps/${slug}/. -->`,
    `# ${slug}`,
    `**${title}.** ${description}`,
    `Version ${version}. Runs ${place}. [Options of every step](../steps.md#options-of-every-step): \`retry\`, \`run_if\` and others.`,
    "## Config",
    configTable(describeStep(definition).config_schema),
    ...reasonTable(definition),
    "## Example",
    ...(await exampleParts(definition)),
    remarksOn(definition).trim(),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function reasonTable({ rejects, drops }: AnyStepDefinition): string[] {
  const rows = [
    ...Object.entries(rejects).map(([reason, meaning]) => `| \`${reason}\` | rejected | ${meaning} |`),
    ...Object.entries(drops).map(([reason, meaning]) => `| \`${reason}\` | dropped | ${meaning} |`),
  ];
  if (rows.length === 0) return ["The step rejects and drops no record."];
  const head = ["| reason | the record is | meaning |", "| --- | --- | --- |"];
  return ["## Rejected and dropped records", [...head, ...rows].join("\n")];
}

/** The example's config and records, and what the step makes of them. */
async function exampleParts(definition: AnyStepDefinition): Promise<string[]> {
  const { config, records } = definition.example;
  const { records: kept, rejected, dropped } = await executeExample(definition);
  const parts: [string, readonly unknown[]][] = [
    ["With the config", [config]],
    ["these records", asRecords(records)],
    ["become", kept],
    ["The step rejects", rejected],
    ["The step drops", dropped],
  ];
  const shown = parts.filter(([, values]) => values.length > 0);
  return Promise.all(shown.map(async ([heading, values]) => `${heading}\n\n${await fenced(values)}`));
}

async function executeExample(definition: AnyStepDefinition) {
  // The stand-in for the outside world listens on this machine.
  const environment = { SUPABASE_URL: "http://localhost", SUPABASE_SECRET_KEY: "none" };
  Object.assign(process.env, environment, { WEBHOOK_ALLOW_PRIVATE_ADDRESSES: "true" });
  const config = definition.configSchema.parse(definition.example.config);
  const standIn = await definition.standIn?.(config);
  try {
    const readSecret = () => Promise.resolve(`whsec_${Buffer.alloc(32).toString("base64")}`);
    return await runStep(definition, standIn?.config ?? config, [asRecords(definition.example.records)], {
      readSecret,
    });
  } finally {
    standIn?.close();
  }
}

async function fenced(values: readonly unknown[]): Promise<string> {
  const options = { parser: "json", printWidth: 120 };
  const written = await Promise.all(values.map((value) => format(JSON.stringify(value), options)));
  return `\`\`\`json\n${written.join("")}\`\`\``;
}

/** The table of all steps in docs/steps.md. */
export function stepIndex(definitions: readonly AnyStepDefinition[]): string {
  const reasons = (names: object) =>
    Object.keys(names)
      .map((reason) => `\`${reason}\``)
      .join(", ") || "–";
  return [
    "| step | what it does | runs | rejects | drops |",
    "| --- | --- | --- | --- | --- |",
    ...definitions.map(({ slug, title, executionMode, rejects, drops }) => {
      const place = executionMode === "inline" ? "inline" : "as its own task";
      return `| [\`${slug}\`](steps/${slug}.md) | ${title} | ${place} | ${reasons(rejects)} | ${reasons(drops)} |`;
    }),
  ].join("\n");
}
