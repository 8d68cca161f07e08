import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats, { type FormatName } from "ajv-formats";
import { RE2JS } from "re2js";

import { finalError } from "../../../errors";
import { withinTimeLimit } from "../../../pipeline/time-limit";
import type { PipelineRecord, Verdict } from "../../../pipeline/step";
import { multipleOf } from "./multiple-of";

export interface ValidateRecordsConfig {
  schema: Record<string, unknown>;
  max_errors: number;
}

export type Failure = Omit<Verdict, "id">;

const DIALECT = "https://json-schema.org/draft/2020-12/schema";
const MAX_SCHEMA_BYTES = 100_000;
const MAX_TEXT_LENGTH = 200;

/**
 * A chunk takes some milliseconds. A schema that needs longer doubles its work with every reference or compares
 * everything with everything.
 */
const MAX_CHUNK_MILLISECONDS = 30_000;

/** The formats of the specification; the library's `url` is left out, its pattern takes quadratic time. */
const FORMATS: FormatName[] = [
  "date",
  "time",
  "date-time",
  "duration",
  "uri",
  "uri-reference",
  "uri-template",
  "email",
  "hostname",
  "ipv4",
  "ipv6",
  "uuid",
  "json-pointer",
  "relative-json-pointer",
  "regex",
];

/**
 * What the library adds to the specification: `$async` makes a validator that answers with a promise, and so finds
 * every record valid; `nullable` allows what `type` does not.
 */
const OWN_KEYWORDS = ["$async", "nullable"];

const validatorsByConfig = new WeakMap<
  ValidateRecordsConfig,
  (records: readonly PipelineRecord[]) => (Failure | null)[]
>();

/**
 * Compiled once per config. For each record null or why it fails; throws a final `invalid_step_config` when the
 * schema cannot be used.
 */
export function recordValidator(
  config: ValidateRecordsConfig,
): (records: readonly PipelineRecord[]) => (Failure | null)[] {
  let validator = validatorsByConfig.get(config);
  if (validator === undefined) {
    const validate = compile(config.schema);
    validator = (records) =>
      withinTimeLimit(
        () => records.map((record) => failureOf(record.data, validate, config.max_errors)),
        MAX_CHUNK_MILLISECONDS,
        tooSlow,
      );
    validatorsByConfig.set(config, validator);
  }
  return validator;
}

/**
 * A blueprint's schema is somebody else's program. Patterns run on RE2, whose time is linear; unknown keywords and
 * formats are refused, because a misspelt rule would check nothing; nothing is loaded from elsewhere.
 */
function compile(schema: Record<string, unknown>): ValidateFunction {
  if (JSON.stringify(schema).length > MAX_SCHEMA_BYTES)
    throw invalidSchema(`The schema is larger than ${MAX_SCHEMA_BYTES} bytes.`);
  const dialect = schema["$schema"];
  if (dialect !== undefined && dialect !== DIALECT && dialect !== `${DIALECT}#`) {
    throw invalidSchema(`The schema must be draft 2020-12: leave $schema out or set it to ${DIALECT}.`);
  }
  const ajv = new Ajv2020({
    allErrors: true,
    strictSchema: true,
    strictNumbers: true,
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    allowUnionTypes: true,
    validateFormats: true,
    logger: false,
    code: { regExp: linearTimePattern },
  });
  for (const keyword of OWN_KEYWORDS) ajv.removeKeyword(keyword);
  ajv.removeKeyword(multipleOf.keyword).addKeyword(multipleOf);
  addFormats.default(ajv, FORMATS);
  try {
    return withinTimeLimit(
      () => {
        const validate = ajv.compile(schema);
        // A schema that refers to itself without descending never ends: better to learn it before the first record.
        validate({});
        return validate;
      },
      MAX_CHUNK_MILLISECONDS,
      tooSlow,
    );
  } catch (error) {
    throw error instanceof Error && error.name !== "StepError" ? invalidSchema(sentence(error.message)) : error;
  }
}

/**
 * Ajv's hook for the engine behind `pattern`. Ajv keeps one matcher per `toString()`; `code` is only read when code is
 * generated for a file.
 */
const linearTimePattern = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
    return { test: (text: string) => compiled.test(text), toString: () => pattern };
  },
  { code: "linearTimePattern" },
);

function failureOf(data: Record<string, unknown>, validate: ValidateFunction, maxErrors: number): Failure | null {
  try {
    if (validate(data)) return null;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return {
      reason: "schema_recursion_too_deep",
      message: "The record is nested too deeply for the schema.",
      details: {},
    };
  }
  const all = validate.errors ?? [];
  const errors = all.slice(0, maxErrors).map(describe);
  const more = all.length > 1 ? ` (and ${all.length - 1} more)` : "";
  return {
    reason: "schema_violation",
    message:
      errors[0] === undefined
        ? "The record does not fit the schema."
        : `${subject(errors[0].field)} ${errors[0].message}${more}.`,
    details: { errors, error_count: all.length },
  };
}

interface SchemaError {
  /** Dotted path, such as `address.city` or `tags.0`; empty for the record itself. */
  field: string;
  keyword: string;
  message: string;
}

/** Errors about a property that is missing or should not be there name that property, not the object around it. */
function describe({ instancePath, keyword, message, params }: ErrorObject): SchemaError {
  const names = params as { missingProperty?: string; additionalProperty?: string; unevaluatedProperty?: string };
  const property = names.missingProperty ?? names.additionalProperty ?? names.unevaluatedProperty;
  const path = instancePath
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (property !== undefined && keyword !== "dependentRequired") path.push(property);
  return { field: bounded(path.join(".")), keyword, message: bounded(wording(keyword, property, message)) };
}

function wording(keyword: string, property: string | undefined, message: string | undefined): string {
  if (keyword === "required") return "is missing";
  if (property !== undefined && keyword !== "dependentRequired") return "is not allowed";
  return message ?? `does not fit ${keyword}`;
}

function subject(field: string): string {
  return field === "" ? "The record" : `Field "${field}"`;
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
