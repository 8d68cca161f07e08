import countries from "i18n-iso-countries";
import { describe, expect, it } from "vitest";

import { parseCountry } from "./country";

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
  ["ES", "E", "Kingdom of Spain"],
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
});
