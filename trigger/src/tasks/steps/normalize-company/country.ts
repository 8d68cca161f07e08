import countries from "i18n-iso-countries";

import { foldText } from "./text";

/** Everyday names, ISO's inverted long forms and names from drop-down lists that the translations lack, folded. */
// prettier-ignore
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  AE: ["uae", "u a e", "emirates"],
  AT: ["oesterreich"],
  BA: ["bosnia"],
  BO: ["bolivia plurinational state of"],
  BR: ["brasil"],
  BS: ["bahamas the"],
  CD: [
    "drc", "dr congo", "d r congo", "congo kinshasa", "kongo kinshasa", "congo the democratic republic of the",
    "congo democratic republic of the",
  ],
  CG: ["congo brazzaville", "kongo brazzaville", "republic of congo"],
  CH: ["sui", "helvetia", "swiss confederation", "schweizerische eidgenossenschaft"],
  CI: ["cote divoire"],
  CN: ["prc", "p r china", "pr china", "peoples republic of china", "people s republic of china", "mainland china"],
  CV: ["cape verde"],
  CZ: ["czech rep"],
  DE: ["brd", "ger", "bundesrepublik deutschland", "federal republic of germany"],
  FM: ["micronesia federated states of"],
  GB: [
    "uk", "u k", "england", "scotland", "schottland", "wales", "cymru", "northern ireland", "britain",
    "inglaterra", "angleterre", "inghilterra", "engeland", "gran bretagna",
    "united kingdom of great britain and northern ireland",
  ],
  GM: ["gambia the"],
  GR: ["el", "hellas"],
  HK: ["hongkong", "hong kong sar", "hong kong sar china"],
  IE: ["eire", "republic of ireland"],
  IR: ["iran islamic republic of"],
  KP: ["dprk", "korea north", "korea democratic people s republic of"],
  KR: ["rok", "korea", "korea south", "korea republic of"],
  MD: ["moldova republic of"],
  MK: ["macedonia", "macedonia the former yugoslav republic of"],
  MM: ["burma"],
  MO: ["macau sar", "macao sar china"],
  NL: ["holland", "hollande", "olanda", "holanda", "netherlands kingdom of the"],
  PS: ["palestine state of", "palestinian territory occupied"],
  SA: ["ksa"],
  SK: ["slovak republic"],
  SZ: ["swaziland"],
  TL: ["east timor"],
  TR: ["turkiye"],
  TW: ["roc", "taiwan roc", "taiwan r o c", "republic of china", "taiwan province of china"],
  TZ: ["tanzania united republic of"],
  US: [
    "us", "u s", "u s a", "us of a", "u s of a", "america", "amerika", "eeuu", "ee uu", "vsa",
    "united states america", "etats unis", "stati uniti", "estados unidos de america",
  ],
  VA: ["vatican", "vatican city"],
  VE: ["venezuela bolivarian republic of"],
  VG: ["virgin islands british"],
  VI: ["virgin islands u s"],
  ZA: ["rsa"],
};

/** Vehicle codes, which German and Austrian lists use for countries. Only those of one letter: longer ones may be ISO codes. */
// prettier-ignore
const VEHICLE_SIGNS: Readonly<Record<string, string>> = {
  A: "AT", B: "BE", D: "DE", E: "ES", F: "FR", H: "HU", I: "IT", L: "LU", N: "NO", P: "PT", S: "SE",
};

const CODES = new Set(Object.keys(countries.getAlpha2Codes()));

let names: ReadonlyMap<string, string> | undefined;

/**
 * The countries' names in every language that the library knows, some 12,000. A name that means two countries ("Congo") is
 * left out: no country is better than a wrong one.
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
  for (const [code, aliases] of Object.entries(ALIASES)) for (const alias of aliases) found.set(alias, code);
  names = found;
  return found;
}

/** ISO 3166-1 alpha-2 (or XK, Kosovo) from a code or a name in some 80 languages; null if it means none or several. */
export function parseCountry(text: string): string | null {
  const code = text.toUpperCase().replaceAll(".", "");
  if (/^[A-Z]{2}$/.test(code) && CODES.has(code)) return code;
  if (/^[A-Z]$/.test(code)) return VEHICLE_SIGNS[code] ?? null;
  if (/^[A-Z]{3}$/.test(code)) {
    const alpha2 = countries.alpha3ToAlpha2(code);
    if (alpha2 !== undefined) return alpha2;
  }
  // The whole text comes first: "Republic of Korea" names one of two Koreas. Then without "(DE)", "DE -", "Republic of".
  const spellings = [
    text,
    text.replace(/\s*\([^)]*\)/g, ""),
    text.replace(/^[A-Za-z]{2,3}\s*[-–:]\s*/, ""),
    text.replace(/^(?:the\s+)?(?:(?:federal\s+)?republic\s+of\s+|kingdom\s+of\s+)?(?:the\s+)?/i, ""),
  ];
  for (const spelling of spellings) {
    const found = namesToCodes().get(foldText(spelling));
    if (found !== undefined) return found;
  }
  return null;
}
