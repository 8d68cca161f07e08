import {
  getCountryCallingCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
  type CountryCode,
  type PhoneNumber,
} from "libphonenumber-js/max";

import { divideExtension, isFaxLabel, PHONE_LABEL, spelledInDigits } from "./phone-words";
import type { Reading } from "./text";

/** What separates two numbers, or the parts of one: an area code ("030 / 1234567"), a short extension ("; 12"). */
const PERHAPS_BETWEEN_NUMBERS = /[/,;]+/g;
const MOST_NUMBERS_IN_A_CELL = 5;
/** Area codes, without the leading zero, have fewer digits. A number as short as them is not recognised. */
const FEWEST_DIGITS = 6;
/** With fewer digits, the part after a comma or semicolon is an extension. */
const FEWEST_DIGITS_OF_ANOTHER = 5;
/** E.164 allows no more, country code included. The library's German plan does. */
const MOST_DIGITS = 15;
/** Digits, and what people put between the digits of a number. */
const RUN = /(?:\+\s?)?[(\d][\d\s().\-‐-―/]*\d|\(\s?\+[\d\s().\-‐-―/]*\d/g;

export interface Phone {
  /** E.164 */
  number: string;
  extension: string | null;
}

/**
 * A phone number that exists in its country's numbering plan. `country` is the region of a number without international
 * prefix. Other words and further numbers make the reading incomplete.
 */
export function parsePhone(raw: string, country: string | null): Reading<Phone> | null {
  if (!/\p{N}/u.test(raw)) return null;
  const region = country !== null && isSupportedCountry(country) ? country : undefined;
  const text = withoutBrackets(raw.normalize("NFKC").replace(PHONE_LABEL, "").replace(/;ext=/i, " ext. ").trim());
  if (!isFaxLabel(text)) {
    const first = firstOfSeveral(text, region);
    if (first !== null) return { value: first, complete: false };
    const whole = parseNumber(text, region);
    if (whole !== null) return { value: toPhone(whole), complete: true };
    const extended = withExtension(text, region);
    if (extended !== null) return extended;
    const spelled = parseSpelled(text, region);
    if (spelled !== null) return { value: toPhone(spelled), complete: true };
  }
  const found = firstRun(text, region);
  return found === null ? null : { value: found, complete: false };
}

/** `(+49 30 1234567)` is a number in brackets and nothing more. */
function withoutBrackets(text: string): string {
  const [, inside] = /^\(([^()]*)\)$/.exec(text) ?? [];
  return inside ?? text;
}

/**
 * The number before a separator, if it is a number by itself: "0711 123456 / 123457" and "030 1234567 / 68". In plans
 * without a fixed length the whole text would be a number too.
 */
function firstOfSeveral(text: string, region: CountryCode | undefined): Phone | null {
  const separators = [...text.matchAll(PERHAPS_BETWEEN_NUMBERS)].slice(0, MOST_NUMBERS_IN_A_CELL);
  for (const { 0: sign, index } of separators) {
    const rest = text.slice(index + sign.length);
    const digits = rest.replace(/\D/g, "").length;
    if (/\p{L}/u.test(rest) || digits < (sign.startsWith("/") ? 1 : FEWEST_DIGITS_OF_ANOTHER)) continue;
    const number = parseNumber(text.slice(0, index), region);
    if (number !== null && number.nationalNumber.length >= FEWEST_DIGITS) return toPhone(number);
  }
  return null;
}

/** Also reads 00 as the prefix for calls abroad, whatever the prefix in the record's country. */
function parseNumber(text: string, region: CountryCode | undefined): PhoneNumber | null {
  const options = { ...(region && { defaultCountry: region }), extract: false };
  // "(+49) 30", "(+49 30)": the library reads a plus sign only where it begins the text.
  const plain = text.replace(/^\s*\(\s*((?:\+|00)[^()]*)\)/, "$1 ");
  const abroad = plain.replace(/^\s*00\s?(?=[1-9])/, "+");
  if (region === undefined && !abroad.trimStart().startsWith("+")) return null;
  for (const spelling of plain === abroad ? [plain] : [plain, abroad]) {
    const number = parsePhoneNumberFromString(spelling, options);
    if (number?.isValid() === true && number.number.length - "+".length <= MOST_DIGITS) return number;
  }
  return null;
}

function withExtension(text: string, region: CountryCode | undefined): Reading<Phone> | null {
  const divided = divideExtension(text);
  if (divided === null) return null;
  const number = parseNumber(divided.number, region);
  if (number === null) return null;
  return { value: { number: number.number, extension: divided.extension }, complete: divided.isPlain };
}

/** The letters on a telephone's keys, as North America writes them: "(800) 200-TAXI". */
function parseSpelled(text: string, region: CountryCode | undefined): PhoneNumber | null {
  const isNorthAmerican = region === undefined ? /^\+?1\b/.test(text) : getCountryCallingCode(region) === "1";
  const digits = isNorthAmerican ? spelledInDigits(text) : null;
  return digits === null ? null : parseNumber(digits, region);
}

/** The first number among words and other numbers: each run of digits is one or none. */
function firstRun(text: string, region: CountryCode | undefined): Phone | null {
  const runs = [...text.matchAll(RUN)].slice(0, MOST_NUMBERS_IN_A_CELL);
  let end = 0;
  for (const { 0: run, index } of runs) {
    const before = text.slice(end, index);
    end = index + run.length;
    const rest = text.slice(end);
    // A part of a word, an address or an identifier.
    if (/[\p{L}\p{N}@_=+]$/u.test(before) || /^(?:[@_=]|(?!x\s?\d)\p{L})/iu.test(rest) || isFaxLabel(before)) continue;
    for (const spelling of spellingsOfRun(run)) {
      const number = parseNumber(spelling, region);
      if (number === null || !isUnmistakable(spelling, number)) continue;
      const extension = spelling === run ? (divideExtension(`0${rest}`, true)?.extension ?? null) : null;
      return { number: number.number, extension };
    }
  }
  return null;
}

/** The run, and its first half where both are written alike: "202-555-0143 202-555-0144", with or without a dash. */
function spellingsOfRun(run: string): string[] {
  const text = run.replace(/^\((?=[^)]*$)/, "");
  const shape = (part: string) => part.trim().replace(/\d/g, "9");
  for (const { 0: gap, index } of text.matchAll(/\s+(?:[-‐-―/]\s+)?|[/]/g)) {
    const [first, second] = [text.slice(0, index), text.slice(index + gap.length)];
    if (shape(first) === shape(second)) return [run, text, first];
  }
  return [run, text];
}

/**
 * Beside other words a number must look like one: with the prefix of calls abroad or within the country. A date has
 * neither, and the plans of some countries would take it for a number.
 */
function isUnmistakable(text: string, number: PhoneNumber): boolean {
  const digits = text.replace(/[^\d+]/g, "");
  if (/^(?:\+|00)/.test(digits)) return true;
  if (/^\(?0/.test(number.formatNational())) return digits.startsWith("0");
  return digits.length >= FEWEST_DIGITS && !/^(?:19|20)\d\d[-./ ]/.test(text.trim());
}

function toPhone(number: PhoneNumber): Phone {
  return { number: number.number, extension: number.ext ?? null };
}
