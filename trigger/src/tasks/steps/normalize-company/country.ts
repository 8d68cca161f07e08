import countries from "i18n-iso-countries";

import { ALIASES } from "./country-aliases";
import { CLDR_NAMES } from "./country-names-cldr";
import { withoutFormOfState } from "./form-of-state";
import { foldText } from "./text";

/** Vehicle codes, which German and Austrian lists use for countries. Only those of one letter: longer ones may be ISO codes. */
// prettier-ignore
const VEHICLE_SIGNS: Readonly<Record<string, string>> = {
  A: "AT", B: "BE", D: "DE", E: "ES", F: "FR", H: "HU", I: "IT", L: "LU", N: "NO", P: "PT", S: "SE",
};

const CODES = new Set(Object.keys(countries.getAlpha2Codes()));

let names: ReadonlyMap<string, string> | undefined;

/**
/**
 * The countries' names in every language that the library knows, some 12,000, and names that it lacks. A name that means
 * two countries ("Congo") is left out: no country is better than a wrong one.
 */
function namesToCodes(): ReadonlyMap<string, string> {
  if (names !== undefined) return names;
  const found = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const language of countries.getSupportedLanguages()) {
    for (const [code, spellings] of Object.entries(countries.getNames(language, { select: "all" }))) {
      for (const name of spellings.map(foldText)) {
        // Latin names of up to three letters are abbreviations of one language: "My" is the US in Vietnamese.
        if (/^[a-z]{1,3}$/.test(name)) continue;
        const known = found.get(name);
        if (known !== undefined && known !== code) ambiguous.add(name);
        found.set(name, code);
      }
    }
  }
  for (const name of ambiguous) found.delete(name);
  for (const [name, code] of CLDR_NAMES) found.set(name, code);
  for (const [code, aliases] of Object.entries(ALIASES)) for (const alias of aliases) found.set(alias, code);
  names = found;
  return found;
}

/** A file writes its countries in a few ways. The answers for so many texts are kept. */
const MOST_KEPT = 1_000;
const kept = new Map<string, string | null>();

/** ISO 3166-1 alpha-2 (or XK, Kosovo) from a code or a name in some 80 languages; null if it means none or several. */
export function parseCountry(text: string): string | null {
  const before = kept.get(text);
  if (before !== undefined) return before;
  const country = readCountry(text);
  if (kept.size >= MOST_KEPT) kept.clear();
  kept.set(text, country);
  return country;
}

function readCountry(text: string): string | null {
  return byCode(text) ?? byName(text) ?? byParts(text);
}

function byCode(text: string): string | null {
  const code = text.toUpperCase().replace(/[.\s]/g, "");
  if (/^[A-Z]{2}$/.test(code) && CODES.has(code)) return code;
  if (/^[A-Z]$/.test(code)) return VEHICLE_SIGNS[code] ?? null;
  return /^[A-Z]{3}$/.test(code) ? (countries.alpha3ToAlpha2(code) ?? null) : null;
}

/** The whole text comes first: "Republic of Korea" names one of two Koreas. Then without "(DE)", "DE -", "Republic of". */
function byName(text: string): string | null {
  const withoutBrackets = text.replace(/\s*\([^)]*\)/g, "");
  const spellings = [
    text,
    withoutBrackets,
    text.replace(/^[A-Za-z]{2,3}\s*[-–:]\s*/, ""),
    text.replace(/\s*[-–:]\s*[A-Z]{2,3}$/, ""),
  ];
  for (const spelling of spellings) {
    const folded = foldText(spelling);
    const found = [folded, ...withoutFormOfState(folded)].map((name) => namesToCodes().get(name)).find((code) => code);
    if (found !== undefined) return found;
  }
  return withoutBrackets === text ? null : byCode(withoutBrackets);
}

/** "England, UK": several names of one country. */
function byParts(text: string): string | null {
  const parts = text.split(/\s*[,/]\s*/, 4).filter((part) => part !== "");
  if (parts.length < 2 || parts.length > 3) return null;
  const [first, ...others] = parts.map((part) => byCode(part) ?? byName(part));
  return first !== undefined && others.every((other) => other === first) ? first : null;
}
