import {
  isSupportedCountry,
  parsePhoneNumberFromString,
  type CountryCode,
  type PhoneNumber,
} from "libphonenumber-js/max";

import type { Reading } from "./text";

/** Signs that separate two numbers in one cell, where the cell as a whole is none. */
const BETWEEN_NUMBERS = /\s*[;,|]\s*|\s+\/\s+|\s+(?:or|oder|ou|o|and|und|et)\s+/i;
/** Signs that separate two numbers, or parts of one: an area code ("030 / 1234567"), a short extension ("; 12"). */
const PERHAPS_BETWEEN_NUMBERS = /[/,;]+/g;
const MOST_NUMBERS_IN_A_CELL = 5;
/** Area codes, without the leading zero, are shorter; shorter numbers are not told from them. */
const FEWEST_DIGITS = 6;
/** What follows a comma or semicolon without a word is an extension if it is shorter. */
const FEWEST_DIGITS_OF_ANOTHER = 5;
/** The most that E.164 allows, country code included. The German plan of the library goes further. */
const MOST_DIGITS = 15;
/** What stands before a number: a word for "phone", or the apostrophe that makes a spreadsheet keep it as text. */
const LABEL = /^\s*(?:'|(?:tel|telephone|telefon|phone|fon|ph|mobile|mobil|cell|office)?\.?\s*:?)\s*(?=[+(\d])/i;
const FAX = /^\s*(?:tele)?fax\b/i;

export interface Phone {
  /** E.164 */
  number: string;
  extension: string | null;
}

/**
 * A phone number that exists in its country's numbering plan. `country` is the region of a number without
 * international prefix. Words around it and further numbers make the reading incomplete.
 */
export function parsePhone(raw: string, country: string | null): Reading<Phone> | null {
  const region = country !== null && isSupportedCountry(country) ? country : undefined;
  if (FAX.test(raw)) return null;
  const text = raw.normalize("NFKC").replace(LABEL, "").replace(/;ext=/i, " ext. ");
  const first = firstOfSeveral(text, region);
  if (first !== null) return { value: first, complete: false };
  const whole = parseNumber(text, region, false);
  if (whole !== null) return { value: toPhone(whole), complete: true };

  const parts = text.split(BETWEEN_NUMBERS, MOST_NUMBERS_IN_A_CELL).filter((part) => /\d/.test(part));
  for (const part of parts.length > 1 ? parts : [text]) {
    const found = parseNumber(part, region, true);
    if (found !== null) return { value: toPhone(found), complete: false };
  }
  return null;
}

/**
 * The number before a separator, if it is one alone: "0711 123456 / 123457" and "030 1234567 / 68". Plans without a
 * fixed length would take the whole for a number too.
 */
function firstOfSeveral(text: string, region: CountryCode | undefined): Phone | null {
  const separators = [...text.matchAll(PERHAPS_BETWEEN_NUMBERS)].slice(0, MOST_NUMBERS_IN_A_CELL);
  for (const { 0: sign, index } of separators) {
    const rest = text.slice(index + sign.length);
    const digits = rest.replace(/\D/g, "").length;
    if (/\p{L}/u.test(rest) || digits < (sign.startsWith("/") ? 1 : FEWEST_DIGITS_OF_ANOTHER)) continue;
    const number = parseNumber(text.slice(0, index), region, false);
    if (number !== null && number.nationalNumber.length >= FEWEST_DIGITS) return toPhone(number);
  }
  return null;
}

/** 00 is the usual prefix for calls abroad, also where the record's country has another one. */
function parseNumber(text: string, region: CountryCode | undefined, extract: boolean): PhoneNumber | null {
  const options = { ...(region && { defaultCountry: region }), extract };
  for (const spelling of [text, text.replace(/^\s*00\s?(?=[1-9])/, "+")]) {
    const number = parsePhoneNumberFromString(spelling, options);
    if (number?.isValid() === true && number.number.length - "+".length <= MOST_DIGITS) return number;
  }
  return null;
}

function toPhone(number: PhoneNumber): Phone {
  return { number: number.number, extension: number.ext ?? null };
}
