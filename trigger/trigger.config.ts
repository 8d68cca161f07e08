import { defineConfig } from "@trigger.dev/sdk";

const project = process.env.TRIGGER_PROJECT_REF;
if (!project)
  throw new Error("TRIGGER_PROJECT_REF is not set: it names the Trigger.dev project to run in or deploy to.");

export default defineConfig({
  project,
  // The oldest that Trigger.dev offers and the nearest to what the tests run on. "node" means its newest LTS release.
  runtime: "node-22",
  dirs: ["./src/tasks"],
  ignorePatterns: ["**/*.test.ts"],
  logLevel: "info",
  // Seconds of work of one task run, waiting excluded. A pipeline run that is stopped by it is started again by the
  // reconciler and goes on, up to five times; a step's own task by its pipeline run, as long as each one gets on.
  maxDuration: 3600,
  // A fresh process costs most of a second, more than a small run.
  processKeepAlive: { enabled: true, maxExecutionsPerProcess: 50, devMaxPoolSize: 10 },
  retries: {
    // The local stack must survive what production survives.
    enabledInDev: true,
    default: { maxAttempts: 3, minTimeoutInMs: 1_000, maxTimeoutInMs: 30_000, factor: 2, randomize: true },
  },
});
