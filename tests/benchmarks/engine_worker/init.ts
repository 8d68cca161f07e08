import { tasks } from "@trigger.dev/sdk";
import { appendFileSync, readFileSync } from "node:fs";

import { DataApiTime } from "../data-api-time";

const { SUPABASE_URL, ENGINE_BENCHMARK_LOG } = process.env;
if (SUPABASE_URL && ENGINE_BENCHMARK_LOG) {
  const dataApi = new DataApiTime(SUPABASE_URL);
  /** Writes a line for each execution of a task. The benchmark reads it. */
  tasks.middleware("benchmark", async ({ ctx, next }) => {
    dataApi.take();
    const started = performance.now();
    const cpu = process.cpuUsage();
    try {
      await next();
    } finally {
      const { user, system } = process.cpuUsage(cpu);
      const line = {
        task: ctx.task.id,
        tags: ctx.run.tags,
        wall_ms: performance.now() - started,
        cpu_ms: (user + system) / 1_000,
        peak_kilobytes: peakKilobytes(),
        data_api: dataApi.take(),
      };
      appendFileSync(ENGINE_BENCHMARK_LOG, `${JSON.stringify(line)}\n`);
    }
  });
}

/** The peak resident memory of the process. */
function peakKilobytes(): number {
  // On Linux, `maxRSS` may be that of the process that started this one.
  if (process.platform !== "linux") return process.resourceUsage().maxRSS;
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kilobytes);
}
