import * as steps from ".";
import type { AnyStepDefinition } from "./step";

/** Every step that this worker can run, by slug. */
export const registry: readonly AnyStepDefinition[] = Object.values<AnyStepDefinition>(steps).sort((a, b) =>
  a.slug < b.slug ? -1 : 1,
);

export function findStep(slug: string): AnyStepDefinition | undefined {
  return registry.find((definition) => definition.slug === slug);
}
