import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts"],
    // Two cores are shared with the local stack: a thread per file is slower than a few.
    pool: "threads",
    maxWorkers: 2,
  },
});
