import { repairMojibake } from "./mojibake";

/** A parsed value. `complete: false` means that the original says more, so it is kept as well. */
export interface Reading<Value> {
  value: Value;
  complete: boolean;
}

/** A longer value is no name, address or number, and is not parsed. */
export const MAX_FIELD_LENGTH = 1_000;

const CONTROL_AND_BIDI =
  /[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;
const PLAIN_ASCII = /^[\x20-\x7e]*$/;

/**
 * Trims, collapses white space, removes control and invisible direction characters, repairs wrongly decoded UTF-8, and
 * normalises to NFC.
 */
export function cleanText(text: string): string {
  let clean = text;
  // Text may be decoded wrongly twice ("MÃƒÂ¼nchen"), or show its damage only after characters are removed.
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

/** A form for comparison, without case, accents, compatibility variants, and anything but letters and digits. */
export function foldText(text: string): string {
  return foldLetters(text)
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, " ")
    .trim();
}

/** Lower case without Latin, Greek and Cyrillic accents. Vowel signs of other scripts have a meaning and stay. */
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

/** The words of a list that is written as running text. */
export function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

export function wordSet(text: string): ReadonlySet<string> {
  return new Set(words(text));
}
