import { createHash } from "node:crypto";

import { splitLegalForm, withoutLegalForms } from "../normalize-company/legal-forms";
import { foldText } from "../normalize-company/text";
import type { DedupeRecordsConfig } from "./config";

export type Comparison = DedupeRecordsConfig["compare_as"][string];

/** Longer keys are replaced by their hash, so that a batch of long texts does not fill the memory. */
const MAX_KEY_LENGTH = 200;

/**
 * Two records have the same key when all of these fields are equal under their comparisons. Null when a field is empty, an
 * object or a list.
 */
export function matchKey(
  data: Record<string, unknown>,
  fields: readonly { name: string; comparison: Comparison }[],
): string | null {
  const parts: string[] = [];
  for (const { name, comparison } of fields) {
    const part = comparable(data[name], comparison);
    if (part === null) return null;
    parts.push(part);
  }
  return short(parts.length === 1 ? (parts[0] ?? "") : JSON.stringify(parts));
}

/**
 * What must be the same for two values to agree; null for an empty value, which agrees with any. Without a comparison
 * of its own a value is a company's name: legal forms of all countries are left out, since the other record may lack the
 * country that tells them.
 */
export function agreementKey(value: unknown, comparison: Comparison | undefined): string | null {
  if (comparison !== undefined) {
    const own = comparable(value, comparison);
    return own === null ? null : short(own);
  }
  const text = plainText(value);
  if (text === null) return null;
  return short(foldName(withoutLegalForms(text)) || text.toLowerCase());
}

/** The values of a key, for people; null where only their hash is kept. */
export function valuesOfKey(key: string, fieldCount: number): string[] | null {
  if (key.startsWith(HASHED)) return null;
  return fieldCount === 1 ? [key] : (JSON.parse(key) as string[]);
}

const HASHED = "sha256:";

function short(key: string): string {
  return key.length <= MAX_KEY_LENGTH ? key : HASHED + createHash("sha256").update(key).digest("base64");
}

function comparable(value: unknown, comparison: Comparison): string | null {
  const text = plainText(value);
  if (text === null) return null;
  switch (comparison) {
    case "exact":
      return String(value);
    case "company_name":
      // A name without letters and digits, such as "+++", folds to nothing and is compared as it is.
      return foldName(splitLegalForm(text, null).base) || text.toLowerCase();
    case "text":
      return text.toLowerCase();
  }
}

function foldName(name: string): string {
  return foldText(name.replaceAll("&", " and "));
}

/** Null for what is empty, or no plain value. */
function plainText(value: unknown): string | null {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return null;
  const text = String(value).normalize("NFKC").replace(/\s+/g, " ").trim();
  return text === "" ? null : text;
}
