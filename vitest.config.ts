import { defineConfig } from "vitest/config";

/** Tests on the one engine of this machine: one at a time, because they share its networks, CPUs and names. */
const onTheEngine = {
  fileParallelism: false,
  maxWorkers: 1,
  testTimeout: 180_000,
  hookTimeout: 600_000,
};

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 15_000, sequence: { groupOrder: 0 } } },
      { test: { name: "policy", include: ["test/policy/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000, maxWorkers: 1, sequence: { groupOrder: 1 } } },
      { test: { name: "engine", include: ["test/engine/**/*.test.ts"], ...onTheEngine, sequence: { groupOrder: 2 } } },
      { test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], ...onTheEngine, testTimeout: 600_000, sequence: { groupOrder: 3 } } },
    ],
  },
});
