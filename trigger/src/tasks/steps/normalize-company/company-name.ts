import { decodeEntities } from "./entities";
import { splitLegalForm } from "./legal-forms";
import { splitLegalPrefix } from "./legal-prefixes";
import { fixLetterCase, oneCaseOf, type OneCase } from "./letter-case";
import { cleanText } from "./text";

export interface CompanyNameOptions {
  country: string | null;
  /** A name in this case is put into title case; null leaves each as it is written. */
  fixCase: OneCase | "any" | null;
  normalizeLegalForm: boolean;
  spellings: ReadonlyMap<string, string>;
}

const WITH_DOTTED_I = new Set(["TR", "AZ"]);

/** Whether the country's language has ı besides i. */
export function hasDottedI(country: string | null): boolean {
  return country !== null && WITH_DOTTED_I.has(country);
}

/** A company name as people write it; null without any letter or digit. */
export function parseCompanyName(text: string, options: CompanyNameOptions): string | null {
  const { country, fixCase, normalizeLegalForm, spellings } = options;
  const name = tidy(text);
  if (!/[\p{L}\p{N}]/u.test(name)) return null;
  const before = splitLegalPrefix(name, country);
  const { base, form, written } = splitLegalForm(before.rest, country);
  // The legal form says nothing about how the name is written: "MÜLLER GmbH" is in capitals.
  const isFixed = fixCase !== null && (fixCase === "any" || oneCaseOf(base) === fixCase);
  const cased = isFixed ? fixLetterCase(base, { spellings, acronyms: true, dottedI: hasDottedI(country) }) : base;
  if (!normalizeLegalForm) return before.written + cased + written;
  return before.prefix + (form === null ? cased : `${cased} ${form}`);
}

/** Full-width characters, half-width katakana and Latin ligatures. Other compatibility characters, such as ½ and ², stay. */
const WIDTH_AND_LIGATURES = /[\u3000\uff00-\uffef\ufb00-\ufb06]+/g;

/** Names in which there is nothing to tidy. Most are such. */
const TIDY = /^[A-Za-z0-9](?:[A-Za-z0-9.'()/+-]| (?! ))*[A-Za-z0-9.)']$/;

/** Removes trademark signs, and turns typographic quotes and HTML escapes into plain characters. */
function tidy(text: string): string {
  if (TIDY.test(text)) return text;
  const plain = decodeEntities(cleanText(text), { prose: true })
    .replace(/[™®©℠]/g, " ")
    .replace(WIDTH_AND_LIGATURES, (signs) => signs.normalize("NFKC"))
    .replace(/[’‘ʼ`´]/g, "'")
    .replace(/[“”„«»]/g, '"')
    .replace(/,(?=\p{L})/gu, ", ");
  const unquoted = cleanText(plain)
    .replace(/^"([^"]*)"$/, "$1")
    .replace(/^'([^']*)'$/, "$1");
  return cleanText(unquoted.replace(/^[\s,;:*|-]+|[\s,;:*|-]+$/g, ""));
}
