// Which room of src/ may import which. Type-only imports count as well: most of a circle can hide in them.

const test = "\\.(test|bench)\\.ts$|^src/testing/";
const pageGenerator = "^src/scripts/(gen-step-pages\\.ts$|step-pages/)";

/** `from` may import, inside src/, only itself and `allowed`. */
function room(name, from, ...allowed) {
  return {
    name,
    severity: "error",
    from: { path: from, pathNot: test },
    to: { path: "^src/", pathNot: [from, ...allowed] },
  };
}

const foundation = "^src/(errors|env|synchronous-timeout)\\.ts$";
const stepContract = "^src/tasks/steps/step\\.ts$";

export default {
  forbidden: [
    { name: "no-cycle", severity: "error", from: {}, to: { circular: true } },
    room("foundation", foundation),
    room("worker-api", "^src/worker-api/", foundation),
    room("platform", "^src/platform/", foundation, "^src/worker-api/"),
    room("step-contract", stepContract, "^src/worker-api/(claim|records)\\.ts$"),
    {
      name: "steps",
      severity: "error",
      from: { path: "^src/tasks/steps/([^/]+)/", pathNot: test },
      to: {
        path: "^src/",
        pathNot: [
          stepContract,
          foundation,
          "^src/tasks/steps/$1/",
          // dedupe-records compares names in the form into which normalize-company brings them.
          "^src/tasks/steps/normalize-company/(legal-forms|text)\\.ts$",
        ],
      },
    },
    room("pipeline", "^src/pipeline/", foundation, "^src/worker-api/", "^src/platform/", stepContract),
    {
      name: "no-scripts",
      comment: "The tasks do not depend on the commands that people run by hand.",
      severity: "error",
      from: { pathNot: "^src/scripts/" },
      to: { path: "^src/scripts/" },
    },
    {
      name: "no-tests",
      severity: "error",
      from: { path: "^src/", pathNot: [test, pageGenerator] },
      to: { path: test },
    },
    {
      name: "no-dev-packages",
      severity: "error",
      from: { path: "^src/", pathNot: [test, pageGenerator] },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
  },
};
