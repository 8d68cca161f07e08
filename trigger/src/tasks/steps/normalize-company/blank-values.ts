import { cleanText, wordSet } from "./text";

/**
 * What people and exports write for "nothing", in the languages that our users write. Codes of countries and states are
 * not among them ("NC", "ND"), and a bare `0` is a value.
 */
// prettier-ignore
export const DEFAULT_BLANK_VALUES = [
  "-", "--", "---", "–", "—", ".", "?", "??", "???", "~", "/", "*", "xx", "xxx", "n/a", "n.a.", "n.a", "na", "n/d", "n.d.", "n/c",
  "n.c.", "s/d", "n/k", "null", "(null)", "<null>", "none", "(none)", "nil", "nan", "undefined", "unknown", "(unknown)",
  "not known", "not available", "not applicable", "not provided", "not specified", "not set", "no data", "no value",
  "unspecified", "tbd", "t.b.d.", "tba", "tbc", "to be defined", "to be determined", "(empty)", "(blank)", "no name",
  "no email", "no website", "no phone",
  "k.a.", "k. a.", "keine angabe", "keine angaben", "keine", "unbekannt", "nicht bekannt", "nicht vorhanden",
  "nicht verfügbar", "nicht angegeben", "nicht zutreffend", "entfällt", "(leer)",
  "inconnu", "inconnue", "non renseigné", "non renseignée", "non communiqué", "non disponible", "non applicable",
  "sans objet", "aucun", "aucune", "néant", "(vide)",
  "desconocido", "desconocida", "no disponible", "no aplica", "no tiene", "sin datos", "sin información",
  "sin especificar", "ninguno", "ninguna", "por definir",
  "sconosciuto", "sconosciuta", "non specificato", "nessuno", "nessuna", "da definire", "assente",
  "desconhecido", "desconhecida", "não disponível", "não informado", "não informada", "não aplicável", "não tem",
  "sem informação", "nenhum", "nenhuma", "a definir",
  "onbekend", "niet bekend", "niet beschikbaar", "niet van toepassing", "n.v.t.", "nvt", "geen",
  "brak", "brak danych", "nieznany", "nieznana", "nie dotyczy", "nie podano", "b.d.", "do ustalenia",
  "不明", "なし", "無し", "無", "未定", "未入力", "未設定", "該当なし", "非公開",
];

/** What spreadsheets write for a formula that failed, in the same languages, and for a column that is too narrow. */
const SPREADSHEET_ERRORS: ReadonlySet<string> = wordSet(`
    #ref! #name? #n/a #value! #div/0! #num! #null! #spill! #calc! #field! #blocked! #unknown! #connect! #busy!
    #getting_data #error! #bezug! #nv #wert! #zahl! #nul! #nom? #valeur! #nombre! #¡ref! #¿nombre? #¡valor! #¡div/0!
    #¡num! #¡nulo! #rif! #nome? #valore! #n/d #valor! #nulo! #verw! #naam? #waarde! #deel/0! #getal! #leeg! #n/b #adr!
    #nazwa? #arg! #dziel/0! #liczba! #zero!`);

/** The longest text that can be such a word. */
const LONGEST_BLANK = 40;

/** The words of `values` in the form in which `isBlank` looks them up. */
export function blankWords(values: readonly string[]): ReadonlySet<string> {
  return new Set(values.map((value) => cleanText(value).toLowerCase()));
}

/** True for nothing at all: white space, a word that stands for nothing, or a spreadsheet's error. `text` must be cleaned. */
export function isBlank(text: string, words: ReadonlySet<string>): boolean {
  if (text === "") return true;
  if (text.length > LONGEST_BLANK) return false;
  const lower = text.toLowerCase();
  return words.has(lower) || (lower.startsWith("#") && (SPREADSHEET_ERRORS.has(lower) || /^#+$/.test(lower)));
}
