import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats, { type FormatName } from "ajv-formats";
import { RE2JS } from "re2js";

import { ErrorList } from "./error-list";
import { multipleOf } from "./multiple-of";

const DIALECT = "https://json-schema.org/draft/2020-12/schema";
const MAX_SCHEMA_BYTES = 100_000;

/** The formats of the specification. The library's own `url` is missing because its pattern takes quadratic time. */
// prettier-ignore
const FORMATS: FormatName[] = [
  "date", "time", "date-time", "duration", "uri", "uri-reference", "uri-template", "email", "hostname", "ipv4", "ipv6",
  "uuid", "json-pointer", "relative-json-pointer", "regex",
];

/**
 * Keywords that the library adds to the specification: `$async` makes a validator that returns a promise, so that every
 * record would pass; `nullable` allows what `type` forbids.
 */
const LIBRARY_KEYWORDS = ["$async", "nullable"];

/** Null when the data fits, otherwise its errors. */
export type SchemaCheck = (data: unknown) => ErrorList | null;

/**
 * A blueprint's schema is untrusted code. Patterns run on RE2 in linear time; unknown keywords and formats are refused,
 * because a misspelt rule checks nothing; nothing is loaded from elsewhere. Throws an Error whose message is for the
 * author of the schema.
 */
export function compileSchema(schema: Record<string, unknown>, maxErrors: number): SchemaCheck {
  refuseUnusable(schema);
  const ajv = new Ajv2020({
    allErrors: true,
    ownProperties: true,
    strictSchema: true,
    strictNumbers: true,
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    allowUnionTypes: true,
    validateFormats: true,
    logger: false,
    code: { regExp: linearTimePattern, process: adapt },
  });
  for (const keyword of LIBRARY_KEYWORDS) ajv.removeKeyword(keyword);
  ajv.removeKeyword("multipleOf").addKeyword(multipleOf);
  addFormats.default(ajv, FORMATS);
  const listOf = (first: ErrorObject) => {
    const list = new ErrorList(maxErrors);
    list.push(first);
    return list;
  };
  const validate = Object.assign(ajv, { listOf }).compile(schema);
  const check = (data: unknown) => (validate(data) ? null : errorsOf(validate));
  // A schema that refers to itself without descending never ends. This call shows it before the first record.
  check({});
  return check;
}

function refuseUnusable(schema: Record<string, unknown>): void {
  const text = JSON.stringify(schema, (key, value: unknown) => {
    // The library looks names up in plain objects, where it would find the properties that every object has.
    if (key === "__proto__") throw new Error("a property of a schema cannot be named __proto__");
    if (key === "$ref" && typeof value === "string" && value in {}) throw new Error(`there is no ${value} to refer to`);
    return value;
  });
  if (text.length > MAX_SCHEMA_BYTES) throw new Error(`it is larger than ${MAX_SCHEMA_BYTES} bytes`);
  const dialect = schema["$schema"];
  if (dialect !== undefined && dialect !== DIALECT && dialect !== `${DIALECT}#`)
    throw new Error(`it must be draft 2020-12: leave $schema out or set it to ${DIALECT}`);
}

/**
 * Ajv's hook for the engine behind `pattern`. Ajv caches one matcher for each `toString()`; it reads `code` only when it
 * generates code for a file.
 */
const linearTimePattern = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
    return { test: (text: string) => compiled.test(text), toString: () => pattern };
  },
  { code: "linearTimePattern" },
);

/**
 * Ajv's hook for the code that it generates from a schema; `self` is the Ajv instance. Errors are collected in an
 * `ErrorList`, and a property counts as evaluated only if the record has it itself. The meta-schema's code stays as it is.
 */
function adapt(code: string, compiled?: { meta?: boolean }): string {
  if (compiled?.meta === true) return code;
  return code
    .replace(/\bvErrors = \[(err\d+)\]/g, "vErrors = self.listOf($1)")
    .replace(/!(props\d+)\[(key\d+)\]/g, "!Object.hasOwn($1, $2)");
}

function errorsOf({ errors }: ValidateFunction): ErrorList {
  const list: unknown = errors;
  if (list instanceof ErrorList) return list;
  throw new TypeError("The validator collects its errors in an unbounded list.");
}
