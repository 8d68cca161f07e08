import { stepTask } from "../pipeline/step-task";
import { registry } from "./steps/registry";

/** A Trigger.dev task for each step that calls the outside world. Its id is the step's slug. */
export const stepTasks = registry.filter(({ executionMode }) => executionMode === "task").map(stepTask);
