import { withoutLegalPrefix } from "./legal-prefixes";
import { foldLetters } from "./text";

interface LegalForm {
  form: string;
  /** Where the form exists. */
  countries: readonly string[];
  /**
   * Which records are read this way: `unless_elsewhere` excludes those of other countries ("Midwest AG" in the US is
   * agriculture), and `home_only` also those without country ("Serenity Spa").
   */
  scope: "everywhere" | "unless_elsewhere" | "home_only";
}

const GERMAN = ["DE", "AT", "CH", "LI"];

type FormRow = [form: string, spellings: readonly string[], countries?: readonly string[], scope?: LegalForm["scope"]];

/** Canonical form, its spellings as `foldForm` folds them, its countries and its scope (everywhere by default). */
// prettier-ignore
const FORMS: readonly FormRow[] = [
  ["GmbH & Co. KGaA", ["gmbh & co kgaa"]],
  ["GmbH & Co. KG", ["gmbh & co kg", "gmbh & cokg", "gmbh co kg"]],
  ["GmbH & Co.", ["gmbh & co"]],
  ["GmbH & Co. OHG", ["gmbh & co ohg"]],
  ["AG & Co. KGaA", ["ag & co kgaa", "aktiengesellschaft & co kgaa"]],
  ["AG & Co. KG", ["ag & co kg", "aktiengesellschaft & co kg"]],
  ["SE & Co. KGaA", ["se & co kgaa"]],
  ["SE & Co. KG", ["se & co kg"]],
  ["UG (haftungsbeschränkt) & Co. KG", ["ug haftungsbeschrankt & co kg"]],
  ["UG & Co. KG", ["ug & co kg"]],
  ["& Co. KG", ["& co kg", "& cokg"]],
  ["GmbH", ["gmbh", "g m b h", "gesellschaft mit beschrankter haftung", "ges m b h", "gesmbh", "ges mbh"]],
  ["gGmbH", ["ggmbh"]],
  ["mbH", ["mbh"]],
  ["UG (haftungsbeschränkt)", ["ug haftungsbeschrankt", "unternehmergesellschaft haftungsbeschrankt"]],
  ["UG", ["ug"], ["DE"], "home_only"],
  ["KGaA", ["kgaa"]],
  ["AG", ["ag", "aktiengesellschaft"], [...GERMAN, "LU", "NL"], "unless_elsewhere"],
  ["KG", ["kg"], GERMAN, "unless_elsewhere"],
  ["OHG", ["ohg"]],
  ["GbR", ["gbr"]],
  ["e.K.", ["ek", "e k"], ["DE"], "home_only"],
  ["e.V.", ["ev", "e v"], ["DE"], "home_only"],
  ["eG", ["eg"], ["DE", "AT"], "home_only"],
  ["SE", ["se"]],
  ["Inc.", ["inc", "incorporated"]],
  ["Corp.", ["corp", "corporation"]],
  ["PCL", ["pcl", "public company limited", "public company ltd", "public co ltd"]],
  ["Co., Ltd.", ["co ltd", "coltd", "company limited", "company ltd", "co limited"]],
  ["Pte. Ltd.", ["pte ltd", "pte limited", "private limited", "pteltd"], ["SG"], "home_only"],
  ["Pte. Ltd.", ["pte ltd", "pte limited"]],
  ["Pvt. Ltd.", ["pvt ltd", "pvt limited", "private limited", "p ltd"]],
  ["(Pty) Ltd", ["pty ltd", "pty limited", "proprietary limited"], ["ZA", "NA", "BW"], "home_only"],
  ["Pty Ltd", ["pty ltd", "pty limited", "proprietary limited"]],
  ["Sdn. Bhd.", ["sdn bhd"]],
  ["Bhd.", ["bhd", "berhad"]],
  ["PLC", ["plc", "public limited company"]],
  ["Ltd.", ["ltd", "limited"]],
  ["LLC", ["llc", "l l c", "limited liability company"]],
  ["LLP", ["llp", "limited liability partnership"]],
  ["LP", ["lp", "limited partnership"], ["US", "CA", "GB"], "unless_elsewhere"],
  ["Co.", ["co"]],
  ["FZ-LLC", ["fz-llc", "fz llc"]],
  ["DAC", ["dac"], ["IE"], "home_only"],
  ["SA", ["sa", "s a"], ["FR", "BE", "CH", "LU", "MC"], "home_only"],
  ["S.A.", ["sa", "s a"]],
  ["S.A. de C.V.", ["sa de cv"]],
  ["S.A.P.I. de C.V.", ["sapi de cv"]],
  ["S. de R.L. de C.V.", ["s de rl de cv"]],
  ["S. de R.L.", ["s de rl"]],
  ["SAS", ["sas"]],
  ["SASU", ["sasu"]],
  ["Sàrl", ["sarl"], ["CH", "LU"], "home_only"],
  ["SARL", ["sarl"]],
  ["EURL", ["eurl"]],
  ["S.R.L.", ["srl", "s r l"], ["ES", "AR", "RO", "MD", "BE", "BO", "PY", "PE", "CR", "DO"], "home_only"],
  ["S.r.l.", ["srl", "s r l"]],
  ["SpA", ["spa"], ["CL"], "home_only"],
  ["S.p.A.", ["spa", "s p a"], ["IT", "SM", "DZ"], "home_only"],
  ["S.L.U.", ["slu"], ["ES", "AD"], "home_only"],
  ["S.L.", ["sl", "s l"], ["ES", "AD"], "home_only"],
  ["Lda.", ["lda"]],
  ["Ltda.", ["ltda", "limitada"]],
  ["EIRELI", ["eireli"]],
  ["BV", ["bv"], ["BE"], "home_only"],
  ["B.V.", ["bv", "b v"], ["NL", "CW", "AW", "SX"], "unless_elsewhere"],
  ["NV", ["nv"], ["BE"], "home_only"],
  ["N.V.", ["nv", "n v"], ["NL", "CW", "AW", "SR", "SX"], "unless_elsewhere"],
  ["AB", ["ab"], ["SE", "FI"], "unless_elsewhere"],
  ["A/S", ["a/s", "aktieselskab"]],
  ["A/S", ["as"], ["DK"], "home_only"],
  ["a.s.", ["as"], ["CZ", "SK"], "home_only"],
  ["A.Ş.", ["as"], ["TR"], "home_only"],
  ["Ltd. Şti.", ["ltd sti", "limited sirketi"]],
  ["AS", ["as"], ["NO", "EE", "LV"], "unless_elsewhere"],
  ["ASA", ["asa"], ["NO"], "unless_elsewhere"],
  ["ApS", ["aps"]],
  ["Oyj", ["oyj"]],
  ["Oy", ["oy"], ["FI"], "unless_elsewhere"],
  ["ehf.", ["ehf"]],
  ["OÜ", ["ou"], ["EE"], "home_only"],
  ["UAB", ["uab"]],
  ["SIA", ["sia"], ["LV"], "home_only"],
  ["Sp. z o.o. sp. k.", ["sp z oo sp k"]],
  ["Sp. z o.o.", ["sp z oo", "spzoo", "sp zoo", "spolka z ograniczona odpowiedzialnoscia"]],
  ["s.r.o.", ["sro", "spol s ro"]],
  ["d.o.o.", ["doo"]],
  ["d.d.", ["dd"], ["SI", "HR", "BA"], "home_only"],
  ["Kft.", ["kft"]],
  ["Zrt.", ["zrt"]],
  ["Nyrt.", ["nyrt"]],
  ["EOOD", ["eood"]],
  ["OOD", ["ood"]],
  ["K.K.", ["kk"], ["JP"], "home_only"],
  ["Tbk", ["tbk"]],
];

const BY_SPELLING = new Map<string, LegalForm[]>();
for (const [form, spellings, countries = [], scope = "everywhere"] of FORMS) {
  for (const spelling of spellings) {
    const forms = BY_SPELLING.get(spelling) ?? [];
    forms.push({ form, countries, scope });
    BY_SPELLING.set(spelling, forms);
  }
}
const LONGEST_FORM_IN_WORDS = 6;
/** Most names have no form: their last word tells. */
const LAST_WORDS = new Set(["company", ...BY_SPELLING.keys()].map(lastWord));

function lastWord(spelling: string): string {
  return spelling.slice(spelling.lastIndexOf(" ") + 1);
}

function foldForm(text: string): string {
  return (
    foldLetters(text)
      // "S. p. A." is "S.p.A."
      .replace(/\b(\p{L})\.\s+(?=\p{L}\.)/gu, "$1.")
      .replace(/[.,()]/g, "")
      .replace(/\s*(?:&|\+|\b(?:und|and|et)\b)\s*/g, " & ")
      .replace(/\s+/g, " ")
      .trim()
  );
}

/** The country decides first, then general use, then dots: "S.p.A." is a legal form even outside its countries. */
function chooseForm(forms: readonly LegalForm[], country: string | null, written: string): LegalForm | undefined {
  const atHome = forms.find(({ countries }) => country !== null && countries.includes(country));
  if (atHome !== undefined) return atHome;
  const general = forms.find(
    ({ scope }) => scope === "everywhere" || (scope === "unless_elsewhere" && country === null),
  );
  if (general !== undefined) return general;
  const dotted = /\p{L}\.\s?\p{L}/u.test(written) ? forms.filter(({ form }) => form.includes(".")) : [];
  return dotted.length === 1 ? dotted[0] : undefined;
}

/** A name in its parts. `form` is the legal form in its canonical spelling, null if there is none; `written` is its original. */
export interface NameParts {
  base: string;
  form: string | null;
  written: string;
}

/** Splits a company name from its trailing legal form. */
export function splitLegalForm(name: string, country: string | null): NameParts {
  return splitForm(name, (spelling, written) => chooseForm(BY_SPELLING.get(spelling) ?? [], country, written)?.form);
}

function splitForm(name: string, formOf: (spelling: string, written: string) => string | undefined): NameParts {
  const words = name.split(" ");
  const last = lastWord(foldForm(words.at(-1) ?? ""));
  // A single letter may end "S. p. A.".
  if (last.length > 1 && !LAST_WORDS.has(last)) return { base: name, form: null, written: "" };
  for (let count = Math.min(LONGEST_FORM_IN_WORDS, words.length - 1); count > 0; count--) {
    const written = words.slice(-count).join(" ");
    const form = formOf(foldForm(written), written);
    if (form === undefined || written.split("(").length !== written.split(")").length) continue;
    const base = words
      .slice(0, -count)
      .join(" ")
      .replace(/[\s,;–-]+$/, "");
    // "The Limited" is a name.
    if (!/[\p{L}\p{N}]/u.test(base) || base.toLowerCase() === "the") continue;
    return { base, form, written: name.slice(base.length) };
  }
  return { base: name, form: null, written: "" };
}

/**
 * What is left of a name for comparing it: without forms before and behind it, wherever they are at home ("AS" means
 * something in five countries), and without "Company".
 */
export function withoutLegalForms(name: string): string {
  const { base } = splitForm(name, (spelling) =>
    spelling === "company" ? spelling : BY_SPELLING.get(spelling)?.[0]?.form,
  );
  return withoutLegalPrefix(base);
}
