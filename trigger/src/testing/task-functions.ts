import { lifecycleHooks, resourceCatalog } from "@trigger.dev/core/v3";
import { runInMockTaskContext } from "@trigger.dev/core/v3/test";
import { StandardLifecycleHooksManager, StandardResourceCatalog } from "@trigger.dev/core/v3/workers";

let hooks = new StandardLifecycleHooksManager();

/** Imports a file of tasks as Trigger.dev's worker does, so that its functions can be called without a platform. */
export async function importTasks(importFile: () => Promise<unknown>): Promise<void> {
  resourceCatalog.disable();
  resourceCatalog.setGlobalResourceCatalog(new StandardResourceCatalog());
  resourceCatalog.setCurrentFileContext("tasks.js", "tasks.ts");
  hooks = new StandardLifecycleHooksManager();
  lifecycleHooks.setGlobalLifecycleHooksManager(hooks);
  await importFile();
  resourceCatalog.clearCurrentFileContext();
}

/** One attempt of a task, without retries, hooks and waits. Returns or throws what its `run` does. */
export function attempt(taskId: string, payload: unknown, triggerRunId = "run_1"): Promise<unknown> {
  const task = resourceCatalog.getTask(taskId);
  if (!task) throw new Error(`No task ${taskId} was imported.`);
  return runInMockTaskContext(
    async ({ ctx }) => {
      const parsed: unknown = task.fns.parsePayload ? await task.fns.parsePayload(payload) : payload;
      return (await task.fns.run(parsed, { ctx, signal: new AbortController().signal })) as unknown;
    },
    { ctx: { run: { id: triggerRunId } } },
  );
}

/** What Trigger.dev calls when the last attempt failed, or when somebody cancelled the run in its dashboard. */
export async function callHook(
  hook: "failure" | "cancel",
  taskId: string,
  payload: unknown,
  error?: unknown,
  triggerRunId = "run_1",
): Promise<void> {
  const call = hook === "failure" ? hooks.getTaskFailureHook(taskId) : hooks.getTaskCancelHook(taskId);
  if (!call) throw new Error(`Task ${taskId} has no ${hook} hook.`);
  await runInMockTaskContext(
    ({ ctx }) =>
      call({ ctx, payload, error, task: taskId, signal: new AbortController().signal, runPromise: Promise.resolve() }),
    { ctx: { run: { id: triggerRunId } } },
  );
}
