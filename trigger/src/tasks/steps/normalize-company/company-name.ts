import { splitLegalForm } from "./legal-forms";
import { fixLetterCase } from "./letter-case";
import { cleanText } from "./text";

export interface CompanyNameOptions {
  country: string | null;
  fixCase: boolean;
  normalizeLegalForm: boolean;
  spellings: ReadonlyMap<string, string>;
}

// prettier-ignore
const ENTITIES: Readonly<Record<string, string>> = {
  quot: '"', apos: "'", "#39": "'", "#039": "'", nbsp: " ", lt: "<", gt: ">",
};

/** A company name as people write it; null without any letter or digit. */
export function parseCompanyName(text: string, options: CompanyNameOptions): string | null {
  const name = tidy(text);
  if (!/[\p{L}\p{N}]/u.test(name)) return null;
  const { base, form } = options.normalizeLegalForm
    ? splitLegalForm(name, options.country)
    : { base: name, form: null };
  const cased = options.fixCase ? fixLetterCase(base, { spellings: options.spellings, acronyms: true }) : base;
  return form === null ? cased : `${cased} ${form}`;
}

/** Full-width characters, half-width katakana and Latin ligatures. Other compatibility characters, such as ½ and ², stay. */
const WIDTH_AND_LIGATURES = /[\u3000\uff00-\uffef\ufb00-\ufb06]+/g;

/** Removes trademark signs, and turns typographic quotes and HTML escapes into plain characters. */
function tidy(text: string): string {
  const plain = cleanText(text)
    .replace(/[™®©℠]/g, " ")
    .replace(WIDTH_AND_LIGATURES, (signs) => signs.normalize("NFKC"))
    .replace(/[’‘ʼ`´]/g, "'")
    .replace(/[“”„«»]/g, '"')
    .replace(/,(?=\p{L})/gu, ", ")
    .replace(/&(?:amp;)+/gi, "&")
    .replace(/&(quot|apos|#0?39|nbsp|lt|gt);/gi, (_, entity: string) => ENTITIES[entity.toLowerCase()] ?? "");
  const unquoted = cleanText(plain)
    .replace(/^"([^"]*)"$/, "$1")
    .replace(/^'([^']*)'$/, "$1");
  return cleanText(unquoted.replace(/^[\s,;:*|-]+|[\s,;:*|-]+$/g, ""));
}
