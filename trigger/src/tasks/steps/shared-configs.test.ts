import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { isPublicAddress } from "./deliver-webhook/address-guard";
import { findStep, registry } from "./registry";
import { describeStep } from "./step";

interface Configs {
  accepted: unknown[];
  refused: unknown[];
  private: { url: string }[];
}

const shared = new URL("../../../../tests/shared/", import.meta.url);
const { steps } = JSON.parse(readFileSync(new URL("step_configs.json", shared), "utf8")) as {
  steps: Record<string, Configs>;
};

function accepts(slug: string, config: unknown): boolean {
  const definition = findStep(slug);
  if (definition === undefined) throw new Error(`There is no step ${slug}.`);
  return definition.configSchema.safeParse(config).success;
}

it("publishes the schemas that the API is tested with (npx vitest run shared-configs -u writes them)", async () => {
  const schemas = Object.fromEntries(registry.map((step) => [step.slug, describeStep(step).config_schema]));
  await expect(`${JSON.stringify(schemas, null, 2)}\n`).toMatchFileSnapshot(
    new URL("step_schemas.json", shared).pathname,
  );
});

describe.each(Object.entries(steps))("%s", (slug, configs) => {
  it.each(configs.accepted)("accepts %j", (config) => expect(accepts(slug, config)).toBe(true));
  it.each(configs.refused)("refuses %j", (config) => expect(accepts(slug, config)).toBe(false));
});

it.each(steps["deliver-webhook"]?.private ?? [])("does not call $url", ({ url }) => {
  const host = new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
  expect(/[a-z]$/.test(host) || !isPublicAddress(host)).toBe(true);
});
