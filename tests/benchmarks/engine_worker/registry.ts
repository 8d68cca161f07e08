import { fiboStep } from "./fibo";
import { findStep as findProductStep, registry as productRegistry } from "./product-registry";
import type { AnyStepDefinition } from "./step";

export { describeStep } from "./product-registry";

/** The product's steps, and the benchmark's own. */
export const registry: readonly AnyStepDefinition[] = [...productRegistry, fiboStep];

export function findStep(slug: string): AnyStepDefinition | undefined {
  return slug === fiboStep.slug ? fiboStep : findProductStep(slug);
}
