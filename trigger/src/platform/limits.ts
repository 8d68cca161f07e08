/** How long a step's task may wait in its queue before it expires and the pipeline task starts it again. */
export const stepTaskTtlSeconds = 1800;

/**
 * Trigger.dev freezes a task that waits for another. While both tasks are queued, no heartbeat is sent, so the last one
 * to run extends the claim by this long.
 */
export const queueingLeaseSeconds = stepTaskTtlSeconds + 60;

/**
 * Trigger.dev takes a worker process that was killed for out of memory, and gives up at once unless there is a larger
 * machine to try. Without this setting the run would wait for the reconciler.
 */
export const outOfMemory = { machine: "medium-1x" } as const;
