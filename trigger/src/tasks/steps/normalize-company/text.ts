import { repairMojibake } from "./mojibake";

/**
 * What a field's parser makes of a value. `complete: false`: the value says more than fits, so the original is
 * kept beside it.
 */
export interface Reading<Value> {
  value: Value;
  complete: boolean;
}

/** Longer values are not a name, an address or a number; parsers are not run on them. */
export const MAX_FIELD_LENGTH = 1_000;

const CONTROL_AND_BIDI =
  /[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;
const PLAIN_ASCII = /^[\x20-\x7e]*$/;

/**
 * Trimmed, inner white space collapsed to one space, control and invisible direction characters removed,
 * wrongly decoded UTF-8 repaired, NFC.
 */
export function cleanText(text: string): string {
  let clean = text;
  // Text may have been decoded wrongly twice ("MÃƒÂ¼nchen"), or hide its damage behind signs that go.
  for (let before = ""; before !== clean && !PLAIN_ASCII.test(clean);) {
    before = clean;
    clean = withoutBlanks(repairMojibake(clean).replace(CONTROL_AND_BIDI, "").normalize("NFC"));
  }
  return withoutBlanks(clean);
}

const UNTIDY = /^\s|\s$|\s\s|[^\S ]/;

/** Trimmed, with one space for white space. */
export function withoutBlanks(text: string): string {
  return UNTIDY.test(text) ? text.replace(/\s+/g, " ").trim() : text;
}

/**
 * A comparison form: compatibility letters, case and Latin accents do not count, nor does anything but letters
 * and digits.
 */
export function foldText(text: string): string {
  return foldLetters(text)
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, " ")
    .trim();
}

/** Lower case without Latin, Greek and Cyrillic accents. Vowel signs of other scripts carry meaning and stay. */
export function foldLetters(text: string): string {
  const lower = text.toLowerCase();
  if (PLAIN_ASCII.test(lower)) return lower;
  return lower
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/ß/g, "ss")
    .replace(/ø/g, "o")
    .replace(/ł/g, "l")
    .replace(/æ/g, "ae")
    .replace(/œ/g, "oe")
    .replace(/đ/g, "d")
    .replace(/ı/g, "i")
    .normalize("NFC");
}
