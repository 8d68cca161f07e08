import { foldLetters } from "./text";

interface LegalPrefix {
  form: string;
  /** Where it stands before names. Elsewhere the word is part of the name. */
  countries: readonly string[];
  /** Also read in records without a country: no word of another language looks like it. */
  isPlain: boolean;
}

type PrefixRow = [form: string, countries: readonly string[], isPlain: boolean];

// prettier-ignore
const PREFIXES: readonly PrefixRow[] = [
  ["PT", ["ID"], true], ["CV", ["ID"], false],
  ["UAB", ["LT"], true], ["AB", ["LT"], false], ["MB", ["LT"], false], ["VšĮ", ["LT"], true],
  ["SIA", ["LV"], true], ["AS", ["LV", "EE"], false], ["OÜ", ["EE"], false],
  ["SARL", ["FR", "LU", "MA", "TN", "DZ", "SN", "CI"], true], ["EURL", ["FR", "DZ"], true], ["SASU", ["FR"], true],
  ["SAS", ["FR"], false], ["SCI", ["FR"], false], ["SCEA", ["FR"], true], ["GAEC", ["FR"], true], ["EARL", ["FR"], false],
  ["SA", ["FR", "BE", "LU", "CH"], false], ["SPRL", ["BE"], true], ["ASBL", ["BE", "LU"], true], ["VZW", ["BE"], true],
  ["NV", ["BE", "NL"], false], ["BV", ["BE", "NL"], false], ["SC", ["RO"], false],
  ["OOO", ["RU", "BY"], true], ["OAO", ["RU", "BY"], true], ["ZAO", ["RU", "BY"], true], ["PAO", ["RU"], true],
  ["AO", ["RU", "KZ"], false], ["TOO", ["KZ"], false], ["TOV", ["UA"], false],
];

/** Forms in other scripts, before and behind names. Those names are left as they are written. */
const BEFORE =
  /^(?:(?:ООО|ОАО|ЗАО|ПАО|АО|НАО|ИП|ТОО|ТОВ|ПП|ФОП|ПрАТ|ПАТ|ЕТ)\s+|(?:株式会社|有限会社|合同会社|\(株\)|㈱|주식회사|\(주\))\s*)/iu;
const BEHIND = /\s*(?:株式会社|有限会社|合同会社|\(株\)|㈱|주식회사|\(주\)|(?:股份)?有限公司)$/u;

const BY_SPELLING: ReadonlyMap<string, LegalPrefix> = new Map(
  PREFIXES.map(([form, countries, isPlain]) => [foldLetters(form), { form, countries, isPlain }]),
);

interface DividedName {
  /** Spelled canonically, with the dots of the original and a blank: `PT. `. Empty when there is none. */
  prefix: string;
  written: string;
  rest: string;
}

const LONGEST_PREFIX = 6;

/** A name without the legal form before it. */
export function splitLegalPrefix(name: string, country: string | null): DividedName {
  const none = { prefix: "", written: "", rest: name };
  const end = name.indexOf(" ");
  if (end < 2 || end > LONGEST_PREFIX) return none;
  const word = name.slice(0, end).replace(/,$/, "");
  const found = BY_SPELLING.get(foldLetters(word.replaceAll(".", "")));
  const rest = name.slice(end + 1);
  if (found === undefined || !/[\p{L}\p{N}]/u.test(rest)) return none;
  if (country === null ? !found.isPlain : !found.countries.includes(country)) return none;
  // "S.C." has a dot behind each letter, "PT." one behind all.
  const isDotted = /^(?:\p{L}\.)+$/u.test(word);
  const spelled = isDotted ? `${[...found.form].join(".")}.` : found.form + (word.endsWith(".") ? "." : "");
  return { prefix: `${spelled} `, written: name.slice(0, end + 1), rest };
}

/** A name without what `splitLegalPrefix` finds in no country, and without forms in other scripts. */
export function withoutLegalPrefix(name: string): string {
  const { rest } = splitLegalPrefix(name, null);
  const bare = rest.replace(BEFORE, "").replace(BEHIND, "");
  return /[\p{L}\p{N}]/u.test(bare) ? bare : rest;
}
