import { batch, queue, task, wait } from "@trigger.dev/sdk";
import { alwaysFails, flaky, hello } from "./outcomes";

export const parent = task({
  id: "parent",
  run: async (payload: { name: string }) => {
    const child = await hello.triggerAndWait({ name: payload.name }).unwrap();
    const many = await hello.batchTriggerAndWait([{ payload: { name: "b1" } }, { payload: { name: "b2" } }]);
    return {
      child: child.greeting,
      batch: many.runs.map((run) => (run.ok ? run.output.greeting : "failed")),
    };
  },
});

export const parentOfFailure = task({
  id: "parent-of-failure",
  run: async () => {
    const failed = await alwaysFails.triggerAndWait({});
    const mixed = await batch.triggerByTaskAndWait([
      { task: flaky, payload: {} },
      { task: alwaysFails, payload: {} },
    ]);
    return { ok: failed.ok, batch: mixed.runs.map((run) => run.ok) };
  },
});

/** One run at a time per concurrency key, also while a parent waits for a child in the same queue. */
export const narrow = queue({ name: "narrow", concurrencyLimit: 1 });

export const narrowParent = task({
  id: "narrow-parent",
  queue: narrow,
  run: async (payload: { name: string }, { ctx }) => {
    const child = await narrowChild.triggerAndWait(payload, { concurrencyKey: "same" }).unwrap();
    return { parent: ctx.run.id, child: child.name };
  },
});

export const narrowChild = task({
  id: "narrow-child",
  queue: narrow,
  run: async (payload: { name: string }) => ({ name: payload.name }),
});

/** Waits longer than the SDK would wait inside the process. */
export const waiter = task({
  id: "waiter",
  run: async (payload: { seconds: number }) => {
    const startedAt = Date.now();
    await wait.for({ seconds: payload.seconds });
    return { waitedMs: Date.now() - startedAt };
  },
});
