import countries from "i18n-iso-countries";
import { describe, expect, it } from "vitest";

import { parseCountry } from "./country";
import { CLDR_NAMES } from "./country-names-cldr";

const readable: [expected: string, ...texts: string[]][] = [
  [
    "DE",
    "D",
    "DE",
    "de",
    "DEU",
    "Germany",
    "GERMANY",
    "Deutschland",
    "Allemagne",
    "Alemania",
    "Germania",
    "BRD",
    "GER",
    "Germany (DE)",
    "DE - Germany",
  ],
  [
    "GB",
    "GB",
    "UK",
    "U.K.",
    "United Kingdom",
    "Great Britain",
    "England",
    "Scotland",
    "Royaume-Uni",
    "Großbritannien",
    "Grossbritannien",
    "Reino Unido",
  ],
  [
    "US",
    "US",
    "U.S.",
    "USA",
    "U.S.A.",
    "United States",
    "the United States of America",
    "America",
    "Vereinigte Staaten",
    "États-Unis",
    "Etats Unis",
    "EE.UU.",
  ],
  ["NL", "NL", "Holland", "The Netherlands", "Niederlande", "Pays-Bas"],
  ["AT", "Austria", "Österreich", "Oesterreich", "Osterreich"],
  ["CH", "Switzerland", "Schweiz", "Suisse", "Svizzera"],
  ["KR", "South Korea", "Korea", "Korea, Republic of", "Korea (South)"],
  ["KP", "North Korea", "Korea, Democratic People's Republic of"],
  ["CD", "DR Congo", "Congo, The Democratic Republic of the"],
  ["CI", "Côte d'Ivoire", "Ivory Coast"],
  ["TR", "Turkey", "Türkiye", "TURKIYE"],
  ["CZ", "Czechia", "Czech Republic", "Tschechien"],
  ["GR", "Greece", "EL", "Ελλάδα"],
  ["AE", "UAE", "United Arab Emirates"],
  ["RU", "Russia", "Россия", "Russian Federation"],
  ["JP", "日本", "Japan"],
  ["XK", "Kosovo"],
  ["NA", "NA", "Namibia"],
  ["IN", "India", "Republic of India"],
  ["TW", "Taiwan", "Taiwan, R.O.C.", "Republic of China"],
  ["CN", "China", "People's Republic of China"],
  ["ES", "E", "Kingdom of Spain", "Reino de España", "Königreich Spanien"],
  ["SK", "Slovak Republic", "Slowakische Republik", "République slovaque", "Slovenská republika", "Slowakei"],
  ["CZ", "Tschechische Republik", "Česká republika", "République tchèque", "Republika Czeska", "チェコ共和国"],
  ["TR", "Republik Türkei", "Republic of Türkiye", "Turquie", "Turcja", "トルコ"],
  ["CI", "Elfenbeinküste", "République de Côte d’Ivoire", "Costa de Marfil", "Republic of Côte d'Ivoire"],
  ["MM", "Burma", "Birma", "Birmanie", "Myanmar (Burma)"],
  ["SZ", "Swaziland", "Eswatini", "Swasiland", "Kingdom of Eswatini"],
  ["MK", "North Macedonia", "Republic of North Macedonia", "Nordmazedonien"],
  ["US", "U. S. A.", "USA (United States)", "United States - US", "EUA", "Stati Uniti d'America", "Verenigde Staten"],
  ["US", "Stany Zjednoczone Ameryki", "アメリカ合衆国", "米国", "the U.S.A."],
  ["GB", "Scotland, UK", "Wales", "Nordirland", "Écosse", "Inglaterra", "Szkocja", "イギリス", "England / UK"],
  [
    "DE",
    "Bundesrepublik Deutschland",
    "République fédérale d’Allemagne",
    "Republika Federalna Niemiec",
    "ドイツ連邦共和国",
  ],
  ["FR", "French Republic", "Französische Republik", "Franse Republiek"],
  ["AT", "Republik Österreich", "Republic of Austria", "República de Austria", "Repubblica d'Austria"],
  ["CN", "Volksrepublik China", "République populaire de Chine", "中華人民共和国"],
  ["TW", "Republik China", "中華民国"],
  ["KR", "Republik Korea", "República de Corea", "大韓民国"],
  ["KP", "Democratic People's Republic of Korea", "Demokratische Volksrepublik Korea"],
  ["CG", "Republic of the Congo", "Congo-Brazzaville"],
  ["CD", "República Democrática do Congo", "Congo (DRC)"],
  ["BO", "Bolivia, Plurinational State of"],
];

describe("a country", () => {
  it.each(readable.flatMap(([expected, ...texts]) => texts.map((text) => [text, expected] as const)))(
    "%s is read as %s",
    (text, expected) => {
      expect(parseCountry(text)).toBe(expected);
    },
  );

  it.each([
    "Congo",
    "EU",
    "Europe",
    "XX",
    "Bavaria",
    "???",
    "Du",
    "Z",
    "Suisse / Allemagne",
    "Republic",
    "República de",
    "Kongo",
    "constructor",
    "__proto__",
  ])("is not read from %s", (text) => {
    expect(parseCountry(text)).toBeNull();
  });

  it("is read from every English and German name that ISO's translations have, unless the name is ambiguous", () => {
    for (const language of ["en", "de"]) {
      for (const [code, name] of Object.entries(countries.getNames(language))) {
        if (!/^(?:Congo|Kongo)$/.test(name)) expect([name, parseCountry(name)]).toEqual([name, code]);
      }
    }
  });

  it("is read from every name that CLDR adds, but for those that are in the library for another country", () => {
    expect(CLDR_NAMES.size).toBeGreaterThan(200);
    expect([...CLDR_NAMES].filter(([name, code]) => parseCountry(name) !== code)).toEqual([]);
  });
});
