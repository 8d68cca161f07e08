import { DataApi } from "./data-api";
import { describeStep, registry } from "./registry";

try {
  const { published, unchanged } = await DataApi.fromEnv().publishSteps(registry.map(describeStep));
  console.log(`published ${published} steps, ${unchanged} unchanged`);
} catch (error) {
  console.error(`The step registry was not published: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
