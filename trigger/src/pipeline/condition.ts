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
import { withSynchronousTimeout } from "../synchronous-timeout";
import type { ConditionInput } from "../worker-api/answers";
import type { PipelineRecord, Verdict } from "../worker-api/records";

/** A chunk as a condition divides it; each record is in one of the three lists. */
export interface DividedChunk {
  chosen: PipelineRecord[];
  passing: PipelineRecord[];
  rejected: Verdict[];
}

type Expr = ReturnType<typeof parse>["expr"];

const maxLength = 2_000;
const maxComprehensions = 4;
const maxChunkMs = 10_000;

/** The texts that are converted. The library itself takes a blank cell, and other text that is no number, for a number. */
const convertible = {
  int: /^[+-]?\d+$/,
  uint: /^\+?\d+$/,
  double: /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/,
  duration: /\d/,
};

// The variables are declared as dynamic, so the planner takes their JSON values as they are.
const environment = celEnv({
  variables: { record: CelScalar.DYN, run: CelScalar.DYN, steps: CelScalar.DYN },
  funcs: [
    // The library's own `in` takes a key whose value is null for absent.
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
 * A step's `run_if`: an expression in CEL, the Common Expression Language. If it names `record`, it is evaluated for each
 * record, otherwise once for the run. Numbers in records are doubles, since JSON has no others.
 */
export class Condition {
  readonly appliesToRecords: boolean;
  readonly #holds: (record: Record<string, unknown>, input: ConditionInput) => boolean;

  private constructor(text: string) {
    // In the library's grammar, a comment needs a line break at its end.
    const { expr } = parse(`${text}\n`);
    this.appliesToRecords = inspect(expr).has("record");
    const evaluate = plan(environment, expr);
    this.#holds = (record, { run, steps }) =>
      truthOf(evaluate({ record: asJson(record), run: asJson(run), steps: stepsByName(steps) }));
  }

  /** Throws `invalid_run_if`. The API has checked the text, but a blueprint may also be saved through the Data API. */
  static parse(text: string): Condition {
    if (text.length > maxLength) throw invalid(`It is longer than ${maxLength} characters.`);
    try {
      return new Condition(text);
    } catch (error) {
      throw invalid(error instanceof Error ? error.message : String(error));
    }
  }

  /** Throws `run_if_failed`. */
  holdsForRun(input: ConditionInput): boolean {
    const holds = () => {
      try {
        return this.#holds({}, input);
      } catch (error) {
        throw finalError("run_if_failed", failureText(error));
      }
    };
    return withSynchronousTimeout(holds, maxChunkMs, tooSlow);
  }

  /** A record that the condition cannot be evaluated for (a missing field, a wrong type) is rejected. */
  divide(records: readonly PipelineRecord[], input: ConditionInput, timeoutMs = maxChunkMs): DividedChunk {
    const divided: DividedChunk = { chosen: [], passing: [], rejected: [] };
    const decide = (record: PipelineRecord) => {
      try {
        (this.#holds(record.data, input) ? divided.chosen : divided.passing).push(record);
      } catch (error) {
        divided.rejected.push({ id: record.id, reason: "run_if_failed", message: failureText(error) });
      }
    };
    withSynchronousTimeout(() => records.forEach(decide), timeoutMs, tooSlow);
    return divided;
  }
}

/** The steps by position and by slug. If several steps share a slug, it names the last of them. */
function stepsByName(steps: ConditionInput["steps"]): CelInput {
  const byName = new Map<bigint | string, CelInput>();
  for (const step of steps) byName.set(BigInt(step.position), asJson(step)).set(step.slug, asJson(step));
  return byName as CelInput;
}

/** JSON.parse made the value, so it is JSON; TypeScript cannot see that. */
function asJson(value: Record<string, unknown>): CelInput {
  return value as CelInput;
}

function truthOf(result: CelResult): boolean {
  if (typeof result === "boolean") return result;
  if (isCelError(result)) throw result;
  throw new Error(`it gives ${isCelList(result) ? "a list" : isCelMap(result) ? "a map" : typeof result}, not a bool`);
}

/**
 * Returns which variables an expression uses, and rewrites `has`. Throws at an unknown name, and at nested or too many
 * comprehensions, whose cost explodes.
 */
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
        if (++comprehensions > maxComprehensions) {
          throw new Error(`It goes through lists more than ${maxComprehensions} times.`);
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

/** Rewrites `has(operand.field)` as `'field' in operand`: the library's own `has` also takes null for absent. */
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

/** The library's message, cut short because it may quote data at length. */
function reasonOf(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error))
    .replace(/[\p{Cc}\s]+/gu, " ")
    .replace(/\.$/, "");
  return text.length <= 200 ? text : `${text.slice(0, 199).replace(/[\ud800-\udbff]$/, "")}…`;
}

function failureText(error: unknown): string {
  return `The step's run_if could not be answered: ${reasonOf(error)}.`;
}

function tooSlow() {
  return finalError("run_if_failed", `The step's run_if takes more than ${maxChunkMs / 1000} seconds for one chunk.`);
}

function invalid(reason: string) {
  return finalError("invalid_run_if", `The step's run_if cannot be used: ${reasonOf(new Error(reason))}.`);
}
