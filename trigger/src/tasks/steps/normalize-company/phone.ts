import {
  isSupportedCountry,
  parsePhoneNumberFromString,
  type CountryCode,
  type PhoneNumber,
} from "libphonenumber-js/max";

import type { Reading } from "./text";

/** Signs that separate two numbers in one cell; "/" and "-" without spaces belong to one number. */
const BETWEEN_NUMBERS = /\s*[;,|]\s*|\s+\/\s+|\s+(?:or|oder|ou|o|and|und|et)\s+/i;
const MOST_NUMBERS_IN_A_CELL = 5;
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
  const whole = parseNumber(text, region, false);
  if (whole !== null) return { value: whole, complete: true };

  const parts = text.split(BETWEEN_NUMBERS, MOST_NUMBERS_IN_A_CELL).filter((part) => /\d/.test(part));
  for (const part of parts.length > 1 ? parts : [text]) {
    const found = parseNumber(part, region, true);
    if (found !== null) return { value: found, complete: false };
  }
  return null;
}

/** 00 is the usual prefix for calls abroad, also where the record's country has another one. */
function parseNumber(text: string, region: CountryCode | undefined, extract: boolean): Phone | null {
  const options = { ...(region && { defaultCountry: region }), extract };
  for (const spelling of [text, text.replace(/^\s*00\s?(?=[1-9])/, "+")]) {
    const number = parsePhoneNumberFromString(spelling, options);
    if (number?.isValid() === true) return toPhone(number);
  }
  return null;
}

function toPhone(number: PhoneNumber): Phone {
  return { number: number.number, extension: number.ext ?? null };
}
