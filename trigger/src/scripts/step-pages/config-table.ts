import type { z } from "zod";

type Schema = z.core.JSONSchema.BaseSchema;

/** The config's fields as rows of a Markdown table, with the fields of an object below it. */
export function configTable(schema: Schema): string {
  return ["| config | default | values | meaning |", "| --- | --- | --- | --- |", ...rowsOf(schema, "")].join("\n");
}

function rowsOf({ properties = {}, required = [] }: Schema, prefix: string): string[] {
  return Object.entries(properties as Record<string, Schema>).flatMap(([name, field]) => {
    const fallback = required.includes(name) ? "required" : field.properties ? "below" : defaultOf(field);
    const row = [code(prefix + name, String), fallback, valuesOf(field), field.description ?? ""].join(" | ");
    return [`| ${row} |`, ...rowsOf(field, `${prefix}${name}.`)];
  });
}

function defaultOf({ default: value }: Schema): string {
  return value === undefined ? "–" : code(value);
}

function valuesOf(schema: Schema): string {
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum) return schema.enum.map((value) => code(value)).join(", ");
  if (schema.anyOf) return (schema.anyOf as Schema[]).map(valuesOf).join(" or ");
  switch (schema.type) {
    case "string":
      if (schema.format === "uri") return "URL";
      return schema.pattern ? `text like ${code(schema.pattern, String)}` : `text${range(schema, "Length")}`;
    case "integer":
      return `integer${range(schema, "imum")}`;
    case "boolean":
      return "`true`, `false`";
    case "array":
      return `list${range(schema, "Items")} of ${valuesOf(schema.items as Schema)}`;
    case "object": {
      const values = schema.additionalProperties as Schema | false | undefined;
      return values && Object.keys(values).length > 0 ? `object of ${valuesOf(values)}` : "object";
    }
    default:
      return code(null);
  }
}

function range(schema: Schema, of: "Length" | "imum" | "Items"): string {
  const [least, most] = [schema[`min${of}`], schema[`max${of}`]] as (number | undefined)[];
  if (most === undefined) return "";
  return ` (${least === undefined ? "at most " : `${number(least)} to `}${number(most)})`;
}

function number(value: number): string {
  return value.toLocaleString("en");
}

function code(value: unknown, write: (value: unknown) => string = JSON.stringify): string {
  const text = typeof value === "string" ? value : write(value).replace(/,(?=["[])/g, ", ");
  return `\`${text.replaceAll("|", "\\|")}\``;
}
