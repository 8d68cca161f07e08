// Drives Trigger.dev with its SDK. Each line of stdin is a JSON call, [name, ...arguments]; one line of stdout
// answers it. Address and key come from TRIGGER_API_URL and TRIGGER_SECRET_KEY.
import { createInterface } from "node:readline";
import { runs, tasks } from "@trigger.dev/sdk";

const calls = {
  trigger: tasks.trigger,
  retrieve: runs.retrieve,
  cancel: runs.cancel,
  list: async (query) => (await runs.list(query)).data,
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...given] = JSON.parse(line);
  const answer = await calls[name](...given).then(
    (value) => ({ value }),
    ({ name, status, message }) => ({ error: { name, status, message } }),
  );
  console.log(JSON.stringify(answer));
}
