import { AbortTaskRunError, logger, task } from "@trigger.dev/sdk";

/** Succeeds and returns its inputs. */
export const hello = task({
  id: "hello",
  run: async (payload: { name: string }, { ctx }) => {
    logger.info("hello", { name: payload.name });
    return {
      greeting: `hello ${payload.name}`,
      attempt: ctx.attempt.number,
      runId: ctx.run.id,
      tags: ctx.run.tags,
      variable: process.env.PLATFORM_TEST_VARIABLE,
      maxDuration: ctx.run.maxDuration,
    };
  },
});

/** Fails on its first attempt. */
export const flaky = task({
  id: "flaky",
  run: async (_payload: unknown, { ctx }) => {
    if (ctx.attempt.number === 1) throw new Error("boom");
    return { attempt: ctx.attempt.number };
  },
});

export const alwaysFails = task({
  id: "always-fails",
  retry: { maxAttempts: 2, minTimeoutInMs: 50, maxTimeoutInMs: 100, factor: 1, randomize: false },
  run: async () => {
    throw new Error("never works");
  },
});

export const aborts = task({
  id: "aborts",
  run: async () => {
    throw new AbortTaskRunError("no use trying again");
  },
});

/** Its process exits on the first attempt, without a message. */
export const crash = task({
  id: "crash",
  run: async (_payload: unknown, { ctx }) => {
    if (ctx.attempt.number === 1) process.exit(7);
    return { attempt: ctx.attempt.number };
  },
});

/** Its process is killed on the first attempt, as the kernel does when memory runs out. */
export const killed = task({
  id: "killed",
  run: async (_payload: unknown, { ctx }) => {
    if (ctx.attempt.number === 1) process.kill(process.pid, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 5_000));
  },
});

/** The same, with a larger machine for the second attempt. */
export const killedOnce = task({
  id: "killed-once",
  retry: { maxAttempts: 3, minTimeoutInMs: 50, outOfMemory: { machine: "small-2x" } },
  run: async (_payload: unknown, { ctx }) => {
    if (ctx.attempt.number === 1) {
      process.kill(process.pid, "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 5_000));
    }
    return { attempt: ctx.attempt.number, machine: ctx.machine?.name };
  },
});

/** Its output is too large to travel inline. */
export const large = task({
  id: "large",
  run: async (payload: { text: string }) => ({ length: payload.text.length, text: payload.text }),
});
