import { defineConfig } from "@trigger.dev/sdk";

export default defineConfig({
  project: process.env.TRIGGER_PROJECT_REF ?? "proj_platformtests",
  runtime: "node",
  dirs: ["./src"],
  logLevel: "info",
  maxDuration: 120,
  processKeepAlive: { enabled: true, maxExecutionsPerProcess: 50, devMaxPoolSize: 4 },
  retries: {
    enabledInDev: true,
    default: { maxAttempts: 3, minTimeoutInMs: 50, maxTimeoutInMs: 200, factor: 2, randomize: false },
  },
});
