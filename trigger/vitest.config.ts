import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts"],
    // Two cores are shared with the local stack: a thread for each file is slower than two threads.
    pool: "threads",
    maxWorkers: 2,
    // All files of a thread share its modules: importing them takes longer than most tests.
    isolate: false,
    // A busy machine is no failure.
    testTimeout: 30_000,
  },
});
