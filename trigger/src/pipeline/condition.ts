import {
  celEnv,
  celFunc,
  type CelInput,
  CelScalar,
  type CelResult,
  isCelError,
  isCelList,
  isCelMap,
  mapType,
  parse,
  plan,
} from "@bufbuild/cel";

import { finalError } from "../errors";
import type { PipelineRecord, Verdict } from "../tasks/steps/step";
import { withinTimeLimit } from "../synchronous-timeout";

/** What a condition may know beside a record: the run, and what the steps before its own came to. */
export interface ConditionInput {
  run: Record<string, unknown>;
  steps: { position: number; slug: string; [name: string]: unknown }[];
}

/** A chunk as a condition divides it; each record is in one of the three. */
export interface DividedChunk {
  chosen: PipelineRecord[];
  passing: PipelineRecord[];
  rejected: Verdict[];
}

type Expr = ReturnType<typeof parse>["expr"];

const longestText = 2_000;
const mostComprehensions = 4;
const longestChunkMs = 10_000;

/** What text must look like to be converted: the library takes a blank cell, and other text that is none, for a number. */
const convertible = {
  int: /^[+-]?\d+$/,
  uint: /^\+?\d+$/,
  double: /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/,
  duration: /\d/,
};

// Each is a map of JSON values, which the planner takes as they are.
const environment = celEnv({
  variables: { record: CelScalar.DYN, run: CelScalar.DYN, steps: CelScalar.DYN },
  funcs: [
    // The library's own takes a key whose value is null for absent.
    celFunc(
      "@in",
      [CelScalar.STRING, mapType(CelScalar.DYN, CelScalar.DYN)],
      CelScalar.BOOL,
      (key, map) => map.get(key) !== undefined,
    ),
    ...Object.entries(convertible).map(([type, pattern]) => {
      const convert = plan(celEnv({ variables: { text: CelScalar.STRING } }), parse(`${type}(text)`).expr);
      return celFunc(type, [CelScalar.STRING], CelScalar.DYN, (text) => {
        if (!pattern.test(text)) throw new Error(`cannot convert ${text} to ${type}`);
        const result = convert({ text });
        if (isCelError(result)) throw result;
        return result;
      });
    }),
  ],
});
const names = new Set(["record", "run", "steps"]);
const typeNames = new Set("bool bytes double int list map null_type string type uint".split(" "));

/**
 * A step's `run_if`: an expression in CEL, the Common Expression Language. One that names `record` is asked of each
 * record, any other once of the run. Numbers of records are doubles, as JSON has no other.
 */
export class Condition {
  readonly asksRecords: boolean;
  readonly #holds: (record: Record<string, unknown>, input: ConditionInput) => boolean;

  private constructor(text: string) {
    // The library's grammar ends a comment at the end of its line, and wants one.
    const { expr } = parse(`${text}\n`);
    this.asksRecords = inspect(expr).has("record");
    const evaluate = plan(environment, expr);
    this.#holds = (record, { run, steps }) =>
      truthOf(evaluate({ record: asJson(record), run: asJson(run), steps: stepsByName(steps) }));
  }

  /** Throws `invalid_run_if`. The API checked the text when the blueprint was saved; the Data API does not. */
  static parse(text: string): Condition {
    if (text.length > longestText) throw invalid(`It is longer than ${longestText} characters.`);
    try {
      return new Condition(text);
    } catch (error) {
      throw invalid(error instanceof Error ? error.message : String(error));
    }
  }

  /** Throws `run_if_failed`. */
  holdsForRun(input: ConditionInput): boolean {
    try {
      return withinTimeLimit(() => this.#holds({}, input), longestChunkMs, tooSlow);
    } catch (error) {
      if (isTooSlow(error)) throw error;
      throw finalError("run_if_failed", `The step's run_if could not be answered: ${reasonOf(error)}.`);
    }
  }

  /** A record of which the condition cannot be asked (a missing field, a wrong type) is rejected. */
  divide(records: readonly PipelineRecord[], input: ConditionInput, longestMs = longestChunkMs): DividedChunk {
    const divided: DividedChunk = { chosen: [], passing: [], rejected: [] };
    withinTimeLimit(
      () => {
        for (const record of records) {
          try {
            (this.#holds(record.data, input) ? divided.chosen : divided.passing).push(record);
          } catch (error) {
            divided.rejected.push({
              id: record.id,
              reason: "run_if_failed",
              message: `The step's run_if could not be answered: ${reasonOf(error)}.`,
            });
          }
        }
      },
      longestMs,
      tooSlow,
    );
    return divided;
  }
}

/** By position as a number, and by slug; of several steps with one slug the last. */
function stepsByName(steps: ConditionInput["steps"]): CelInput {
  const byName = new Map<bigint | string, CelInput>();
  for (const step of steps) byName.set(BigInt(step.position), asJson(step)).set(step.slug, asJson(step));
  return byName as CelInput;
}

/** What JSON.parse gave is JSON, which TypeScript cannot see. */
function asJson(value: Record<string, unknown>): CelInput {
  return value as CelInput;
}

function truthOf(result: CelResult): boolean {
  if (typeof result === "boolean") return result;
  if (isCelError(result)) throw result;
  throw new Error(`it gives ${isCelList(result) ? "a list" : isCelMap(result) ? "a map" : typeof result}, not a bool`);
}

/** The names that an expression uses; rewrites `has`. Throws at an unknown one, and at what would let its cost explode. */
function inspect(expression: Expr): Set<string> {
  const used = new Set<string>();
  let comprehensions = 0;
  const visit = (expr: Expr | undefined, bound: ReadonlySet<string>, within: boolean): void => {
    if (!expr) return;
    const { case: kind, value } = expr.exprKind;
    switch (kind) {
      case "identExpr": {
        const name = value.name.replace(/^\./, "");
        if (bound.has(name)) return;
        if (names.has(name)) used.add(name);
        else if (!typeNames.has(name)) throw new Error(`There is no ${name}.`);
        return;
      }
      case "selectExpr":
        visit(value.operand, bound, within);
        if (value.testOnly && value.operand) expr.exprKind = isKeyOf(value.field, value.operand);
        return;
      case "callExpr":
        visit(value.target, bound, within);
        return value.args.forEach((argument) => visit(argument, bound, within));
      case "listExpr":
        return value.elements.forEach((element) => visit(element, bound, within));
      case "structExpr":
        for (const { keyKind, value: entry } of value.entries) {
          if (keyKind.case === "mapKey") visit(keyKind.value, bound, within);
          visit(entry, bound, within);
        }
        return;
      case "comprehensionExpr": {
        if (within) throw new Error("It goes through a list within a list.");
        if (++comprehensions > mostComprehensions) {
          throw new Error(`It goes through lists more than ${mostComprehensions} times.`);
        }
        visit(value.iterRange, bound, within);
        visit(value.accuInit, bound, within);
        const inner = new Set([...bound, value.iterVar, value.iterVar2, value.accuVar]);
        visit(value.loopCondition, inner, true);
        visit(value.loopStep, inner, true);
        return visit(value.result, inner, true);
      }
      default:
        return;
    }
  };
  visit(expression, new Set(), false);
  return used;
}

/** What `has(operand.field)` means of a map; the library's own has the same fault as its `in`. */
function isKeyOf(field: string, operand: Expr): Expr["exprKind"] {
  const key: Expr = {
    $typeName: "cel.expr.Expr",
    id: operand.id,
    exprKind: {
      case: "constExpr",
      value: { $typeName: "cel.expr.Constant", constantKind: { case: "stringValue", value: field } },
    },
  };
  return { case: "callExpr", value: { $typeName: "cel.expr.Expr.Call", function: "@in", args: [key, operand] } };
}

/** The library's sentence without the data that it may quote at length. */
function reasonOf(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error))
    .replace(/[\p{Cc}\s]+/gu, " ")
    .replace(/\.$/, "");
  return text.length <= 200 ? text : `${text.slice(0, 199).replace(/[\ud800-\udbff]$/, "")}…`;
}

const tooSlowCode = "run_if_failed";

function tooSlow() {
  return finalError(tooSlowCode, `The step's run_if takes more than ${longestChunkMs / 1000} seconds for one chunk.`);
}

function isTooSlow(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === tooSlowCode;
}

function invalid(reason: string) {
  return finalError("invalid_run_if", `The step's run_if cannot be used: ${reasonOf(new Error(reason))}.`);
}
