import { z } from "zod";

import { type AnyStepDefinition, taskIdOf } from "./step";
import { dedupeRecords } from "./dedupe-records";
import { deliverWebhook } from "./deliver-webhook";
import { normalizeCompany } from "./normalize-company";
import { validateRecords } from "./validate-records";

/** Every step that this worker can run. A new step is one folder beside this file and one line here. */
export const registry: readonly AnyStepDefinition[] = [
  normalizeCompany,
  validateRecords,
  dedupeRecords,
  deliverWebhook,
];

const bySlug = new Map(registry.map((definition) => [definition.slug, definition]));

export function findStep(slug: string): AnyStepDefinition | undefined {
  return bySlug.get(slug);
}

/** A step as `worker.publish_steps` takes it: zod schemas as JSON Schema, for blueprints, forms and people. */
export function describeStep(definition: AnyStepDefinition) {
  const { slug, version, title, description, executionMode } = definition;
  return {
    slug,
    version,
    title,
    description,
    execution_mode: executionMode,
    task_id: taskIdOf(definition),
    // What a blueprint's author writes: fields with a default may be left out.
    config_schema: z.toJSONSchema(definition.configSchema, { io: "input" }),
    input_schema: z.toJSONSchema(definition.inputSchema, { io: "input" }),
    output_schema: z.toJSONSchema(definition.outputSchema, { io: "output" }),
  };
}
