import { DataApi } from "../worker-api/client";
import { describeStep, registry } from "../tasks/steps";

try {
  const dataApi = DataApi.fromEnv();
  // Steps of a release that the database does not fit would be in blueprints before a worker could execute them.
  await dataApi.checkContract();
  const { published, unchanged } = await dataApi.publishSteps(registry.map(describeStep));
  console.log(`published ${published} steps, ${unchanged} unchanged`);
} catch (error) {
  console.error(`The step registry was not published: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
