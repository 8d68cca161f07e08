import { registry } from "../tasks/steps/registry";
import { describeStep } from "../tasks/steps/step";
import { DataApi } from "../worker-api/client";

try {
  const dataApi = DataApi.fromEnv();
  // Otherwise blueprints could contain steps that no worker can execute with this database.
  await dataApi.checkContract();
  const { published, unchanged } = await dataApi.publishSteps(registry.map(describeStep));
  console.log(`published ${published} steps, ${unchanged} unchanged`);
} catch (error) {
  console.error(`The step registry was not published: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
