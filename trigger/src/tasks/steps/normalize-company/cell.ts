import { decodeEntities } from "./entities";
import type { CanonicalField } from "./source-fields/source-system";
import { withoutGuard } from "./spreadsheet-text";
import { cleanText } from "./text";

/** Fields whose cells can hold several values, one a line. */
const SEVERAL_LINES: ReadonlySet<CanonicalField> = new Set(["domain", "website", "email", "phone"]);
const ADDRESSES: ReadonlySet<CanonicalField> = new Set(["domain", "website", "email"]);
const LINE_BREAK = /\s*[\r\n\v\f\u0085\u2028\u2029]+\s*/g;
const MOST_PASSES = 10;

/** What a cell says, without what the export put around it. */
export function cellText(raw: string, field: CanonicalField): string {
  let text = cleanText(SEVERAL_LINES.has(field) ? raw.trim().replace(LINE_BREAK, " ; ") : raw);
  const isAddress = ADDRESSES.has(field);
  // One disguise can hide another: `&#39;Acme`.
  for (let pass = 0; pass < MOST_PASSES && /^['=]|&/.test(text); pass++) {
    const before = text;
    text = cleanText(withoutGuard(decodeEntities(text, { prose: !isAddress }), isAddress));
    if (text === before) break;
  }
  return text;
}
