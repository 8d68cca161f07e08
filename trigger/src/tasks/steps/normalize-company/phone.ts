import {
  isSupportedCountry,
  parsePhoneNumberFromString,
  type CountryCode,
  type PhoneNumber,
} from "libphonenumber-js/max";

import type { Reading } from "./text";

/** What separates two numbers in a cell that is not a number as a whole. */
const BETWEEN_NUMBERS = /\s*[;,|]\s*|\s+\/\s+|\s+(?:or|oder|ou|o|and|und|et)\s+/i;
/** What separates two numbers, or the parts of one: an area code ("030 / 1234567"), a short extension ("; 12"). */
const PERHAPS_BETWEEN_NUMBERS = /[/,;]+/g;
const MOST_NUMBERS_IN_A_CELL = 5;
/** Area codes, without the leading zero, have fewer digits. A number as short as them is not recognised. */
const FEWEST_DIGITS = 6;
/** With fewer digits, the part after a comma or semicolon is an extension. */
const FEWEST_DIGITS_OF_ANOTHER = 5;
/** E.164 allows no more, country code included. The library's German plan does. */
const MOST_DIGITS = 15;
/** What precedes a number: a word for "phone", or the apostrophe that makes a spreadsheet keep it as text. */
const LABEL = /^\s*(?:'|(?:tel|telephone|telefon|phone|fon|ph|mobile|mobil|cell|office)?\.?\s*:?)\s*(?=[+(\d])/i;
const FAX = /^\s*(?:tele)?fax\b/i;

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
 * The number before a separator, if it is a number by itself: "0711 123456 / 123457" and "030 1234567 / 68". In plans
 * without a fixed length the whole text would be a number too.
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

/** Also reads 00 as the prefix for calls abroad, whatever the prefix in the record's country. */
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
