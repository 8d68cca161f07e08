import { createHash } from "node:crypto";

import { splitLegalForm } from "../normalize-company/legal-forms";
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
  const key = parts.length === 1 ? (parts[0] ?? "") : JSON.stringify(parts);
  return key.length <= MAX_KEY_LENGTH ? key : `sha256:${createHash("sha256").update(key).digest("base64")}`;
}

function comparable(value: unknown, comparison: Comparison): string | null {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return null;
  const text = String(value);
  if (text.trim() === "") return null;
  switch (comparison) {
    case "exact":
      return text;
    case "company_name":
      // A name without letters and digits, such as "+++", folds to nothing and is compared as it is.
      return foldText(splitLegalForm(plain(text), null).base.replaceAll("&", " and ")) || plain(text).toLowerCase();
    case "text":
      return plain(text).toLowerCase();
  }
}

function plain(text: string): string {
  return text.normalize("NFKC").replace(/\s+/g, " ").trim();
}
