import { foldLetters, wordSet } from "./text";

/** Words that are in lower case inside a name, and capitalised as its first or last word. */
const SMALL_WORDS = wordSet(`
    a aan am an and at av bei by da das de dei del della den der des di die do dos du e el en et for för für het i
    im in la le les los mit och of og on or sur the to und upon van ve vom von y z za zu zum zur`);

/** Two or three letters that are a word or a title and no acronym. */
const SHORT_WORDS = wordSet(`
    al as be bros do dr el ft go hi if ja jr la le ll mc me mr mrs ms mt my no oh ok old on or ox pt so sr st up we`);

const DOMAIN_ENDINGS = wordSet(`
    ag ai app at be biz ch cloud co com de dk es eu fi fr info io it me net nl no org pl se tech tv uk us`);
const ROMAN_NUMERAL = /^(?:II|III|IV|VI|VII|VIII|IX|XI|XII|XIII|XIV|XV|XX)$/;
const WORD = /[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}]+)*/gu;
const NON_LATIN_LETTER = /[^\P{L}\p{Script=Latin}]/u;

export interface CaseOptions {
  spellings: ReadonlyMap<string, string>;
  /** Whether words without vowels and very short words stay in capitals: in company names, but not in towns. */
  acronyms: boolean;
  /** In Turkish and Azeri I is the capital of ı, and İ that of i. */
  dottedI: boolean;
}

export type OneCase = "capitals" | "lower_case";

/** The case of a text that has only one, of letters that have two; null for a text in both or in another script. */
export function oneCaseOf(text: string): OneCase | null {
  const letters = text.replace(/\P{L}/gu, "");
  if (letters === "" || NON_LATIN_LETTER.test(letters)) return null;
  if (letters === letters.toUpperCase()) return "capitals";
  return letters === letters.toLowerCase() ? "lower_case" : null;
}

/**
 * Title case for a text in ALL CAPS or all lower case. A text with both is written on purpose and stays as it is; so does
 * a text in another script than Latin.
 */
export function fixLetterCase(text: string, options: CaseOptions): string {
  const oneCase = oneCaseOf(text);
  if (oneCase === null) return text;
  const isUpper = oneCase === "capitals";
  const letters = text.replace(/\P{L}/gu, "");
  const isOneShortWord = letters.length === text.length && letters.length <= (options.acronyms ? 3 : 2);
  if (isUpper && isOneShortWord) return options.spellings.get(foldLetters(text)) ?? text;

  const words = text.split(" ");
  return words
    .map((word, index) => caseWord(word, { ...options, isUpper, isInner: index > 0 && index < words.length - 1 }))
    .join(" ");
}

interface WordContext extends CaseOptions {
  isUpper: boolean;
  isInner: boolean;
}

function caseWord(word: string, context: WordContext): string {
  const bare = word.replace(/[,;:!?]+$/, "");
  const spelling = context.spellings.get(foldLetters(bare));
  if (spelling !== undefined) return spelling + word.slice(bare.length);
  if (context.isInner && SMALL_WORDS.has(word.toLowerCase())) return word.toLowerCase();
  return word.replace(WORD, (run, offset: number) =>
    caseRun(run, { ...context, before: word.slice(0, offset), after: word.slice(offset + run.length) }),
  );
}

function caseRun(run: string, context: WordContext & { before: string; after: string }): string {
  const dotted = context.dottedI && !FOREIGN_TO_TURKISH.test(run);
  const lower = dotted ? toTurkishLower(run) : toLower(run);
  // In "Dr. Ing." the words are abbreviations, and "Ing" is not the bank ING.
  const spelling = context.after === "." ? undefined : context.spellings.get(foldLetters(run));
  if (spelling !== undefined) return spelling;
  if (context.before.endsWith(".") && context.before.length > 2 && DOMAIN_ENDINGS.has(lower)) return lower;
  if (context.isUpper && ROMAN_NUMERAL.test(run)) return run;
  if (/\p{N}/u.test(run)) return caseMixedWithDigits(lower);
  if (isAcronym(lower, context)) return run.toUpperCase();
  const [head = "", ...tail] = lower.split("'");
  // A capital follows in O'Reilly, L'Oréal and D'Angelo, but not in McDonald's.
  const rest = tail.map((part) => (head.length === 1 && part.length > 1 ? capitalize(part) : part));
  // Capitals keep their first letter: the Turkish dotted one cannot be restored from lower case.
  if (context.isUpper && !/^mc/.test(head)) return [firstLetter(run) + head.slice(1), ...rest].join("'");
  const first = dotted && head.startsWith("i") ? `İ${head.slice(1)}` : capitalize(head);
  return [first, ...rest].join("'");
}

function isAcronym(
  lower: string,
  { acronyms, isUpper, before, after }: WordContext & { before: string; after: string },
): boolean {
  if (lower.length === 1) return true;
  if (lower.length <= 2 && (before.endsWith("&") || after.startsWith("&"))) return true;
  if (SHORT_WORDS.has(lower) || !/^[a-z]+$/.test(lower)) return false;
  const hasVowel = /[aeiouy]/.test(lower);
  if (!acronyms) return isUpper && lower.length === 2 && !hasVowel;
  return hasVowel ? isUpper && lower.length === 2 && !SMALL_WORDS.has(lower) : lower.length <= 5;
}

/** `H2O`, `F5` and `B2B` are abbreviations; `1st` is an ordinal; `24seven` and `4imprint` contain a word. */
function caseMixedWithDigits(lower: string): string {
  if (/^\p{N}+(?:st|nd|rd|th|er|e)$/u.test(lower)) return lower;
  return lower.replace(/[\p{L}\p{M}]+/gu, (letters, offset: number) => {
    if (letters.length <= 3) return letters.toUpperCase();
    return offset === 0 ? capitalize(letters) : letters;
  });
}

function capitalize(lower: string): string {
  const mac = /^mc(\p{L}{3,})$/u.exec(lower);
  if (mac?.[1] !== undefined) return `Mc${capitalize(mac[1])}`;
  const first = firstLetter(lower);
  return first.toUpperCase() + lower.slice(first.length);
}

function firstLetter(text: string): string {
  return String.fromCodePoint(text.codePointAt(0) ?? 0);
}

/** Words with letters that Turkish does not have, and the English ending of HOLDING and SHIPPING. */
const FOREIGN_TO_TURKISH = /[qwx]|ing$/i;

function toTurkishLower(text: string): string {
  return text.replaceAll("I", "ı").replaceAll("İ", "i").toLowerCase();
}

/** Lower case without the combining dot that the Turkish dotted capital leaves behind. */
function toLower(text: string): string {
  return text.toLowerCase().replaceAll("i\u0307", "i");
}
