/** How long a step's task may wait in its queue before it is given up and put there anew. */
export const stepTaskTtlSeconds = 1800;

/**
 * Trigger.dev freezes a task that waits for another. While neither the pipeline task nor the task of its step
 * runs, both only queue, nobody beats: whoever goes last leaves the claim good for this long.
 */
export const queueingLeaseSeconds = stepTaskTtlSeconds + 60;

/**
 * A worker process that was killed is taken for out of memory, and Trigger.dev gives up on it at once unless
 * there is a larger machine to try. Without this the run would wait for the reconciler.
 */
export const outOfMemory = { machine: "medium-1x" } as const;
