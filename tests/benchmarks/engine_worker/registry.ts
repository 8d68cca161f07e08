import type { AnyStepDefinition } from "./pipeline/step";
import { findStep as findProductStep, registry as productRegistry } from "./product-registry";
import { fiboStep } from "./tasks/steps/fibo";

export { describeStep } from "./product-registry";

/** The product's steps, and the benchmark's own. */
export const registry: readonly AnyStepDefinition[] = [...productRegistry, fiboStep];

export function findStep(slug: string): AnyStepDefinition | undefined {
  return slug === fiboStep.slug ? fiboStep : findProductStep(slug);
}
