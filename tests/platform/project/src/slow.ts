import { schedules, task } from "@trigger.dev/sdk";

/** Works until it is told to stop. */
export const slow = task({
  id: "slow",
  run: async (payload: { ms: number }, { signal }) => {
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, payload.ms);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(new Error("stopped"));
      });
    });
    return { slept: payload.ms };
  },
});

export const slowParent = task({
  id: "slow-parent",
  run: async (payload: { ms: number }) => slow.triggerAndWait(payload).unwrap(),
});

export const scheduled = schedules.task({
  id: "scheduled",
  cron: { pattern: "* * * * *", timezone: "Europe/Berlin" },
  run: async (payload) => ({
    timezone: payload.timezone,
    isDate: payload.timestamp instanceof Date,
    seconds: payload.timestamp.getUTCSeconds(),
    upcoming: payload.upcoming.map((moment) => moment.toISOString()),
    last: payload.lastTimestamp?.toISOString(),
  }),
});
