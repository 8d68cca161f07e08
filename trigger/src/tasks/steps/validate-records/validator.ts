import type { ErrorObject } from "ajv/dist/2020.js";

import { finalError } from "../../../errors";
import { withSynchronousTimeout } from "../../../synchronous-timeout";
import type { PipelineRecord, Verdict } from "../step";
import { compileSchema, type SchemaCheck } from "./compile-schema";
import type { ValidateRecordsConfig } from "./config";

type Failure = Omit<Verdict, "id">;
/** For each record null, or why it fails. */
type RecordValidator = (records: readonly PipelineRecord[]) => (Failure | null)[];

const MAX_TEXT_LENGTH = 200;

/** A chunk takes milliseconds, unless the schema's work doubles with every reference or grows with the square of the data. */
const MAX_CHUNK_MILLISECONDS = 30_000;

const validatorsByConfig = new WeakMap<ValidateRecordsConfig, RecordValidator>();

/** Compiles the schema once per config. Throws a final `invalid_step_config` when the schema cannot be used. */
export function recordValidator(config: ValidateRecordsConfig): RecordValidator {
  let validator = validatorsByConfig.get(config);
  if (validator === undefined) {
    const check = compile(config);
    validator = (records) =>
      withSynchronousTimeout(() => records.map(({ data }) => failureOf(data, check)), MAX_CHUNK_MILLISECONDS, tooSlow);
    validatorsByConfig.set(config, validator);
  }
  return validator;
}

function compile({ schema, max_errors: maxErrors }: ValidateRecordsConfig): SchemaCheck {
  try {
    return withSynchronousTimeout(() => compileSchema(schema, maxErrors), MAX_CHUNK_MILLISECONDS, tooSlow);
  } catch (error) {
    throw error instanceof Error && error.name !== "StepError" ? invalidSchema(sentence(error.message)) : error;
  }
}

function failureOf(data: Record<string, unknown>, check: SchemaCheck): Failure | null {
  let found: ReturnType<SchemaCheck>;
  try {
    found = check(data);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return {
      reason: "schema_recursion_too_deep",
      message: "The record is nested too deeply for the schema.",
      details: {},
    };
  }
  if (found === null) return null;
  const errors = found.first.map(describe);
  const details = { errors, error_count: found.length };
  const [first] = errors;
  if (first === undefined)
    return { reason: "schema_violation", message: "The record does not fit the schema.", details };
  const subject = first.field === "" ? "The record" : `Field "${first.field}"`;
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : "";
  return { reason: "schema_violation", message: `${subject} ${first.message}${more}.`, details };
}

interface SchemaError {
  /** Dotted path, such as `address.city` or `tags.0`; empty for the record itself. */
  field: string;
  keyword: string;
  message: string;
}

/** Keywords whose errors are about two properties; the library's message names both. */
const OF_TWO_FIELDS = new Set(["dependentRequired", "dependencies"]);

/** An error about a missing or forbidden property names that property and not the object around it. */
function describe({ instancePath, keyword, message, params }: ErrorObject): SchemaError {
  const names = params as { missingProperty?: string; additionalProperty?: string; unevaluatedProperty?: string };
  const property = names.missingProperty ?? names.additionalProperty ?? names.unevaluatedProperty;
  const path = instancePath
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (property !== undefined && !OF_TWO_FIELDS.has(keyword)) path.push(property);
  return { field: bounded(path.join(".")), keyword, message: bounded(wording(keyword, property, message)) };
}

function wording(keyword: string, property: string | undefined, message: string | undefined): string {
  if (keyword === "required") return "is missing";
  if (property !== undefined && !OF_TWO_FIELDS.has(keyword)) return "is not allowed";
  return message ?? `does not fit ${keyword}`;
}

function bounded(text: string): string {
  return text.length <= MAX_TEXT_LENGTH
    ? text
    : `${text.slice(0, MAX_TEXT_LENGTH - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

function tooSlow() {
  return invalidSchema(`The schema takes more than ${MAX_CHUNK_MILLISECONDS / 1000} seconds for one chunk.`);
}

function invalidSchema(message: string) {
  return finalError("invalid_step_config", message, { details: { field: "schema" } });
}

function sentence(text: string): string {
  return bounded(`The schema cannot be used: ${text.replace(/\.$/, "")}`) + ".";
}
