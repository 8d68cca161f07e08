/** What may stand before a number: a word for "phone", one for whose it is, or the apostrophe of a spreadsheet. */
export const PHONE_LABEL =
  /^\s*(?:'|(?:telephone|telefon[oea]?|téléphone|teléfono|telefoon|phone|fon|ph|tel|tél|mobile|mobil|móvil|mobiel|cellulare|celular|cell|handy|gsm|office|büro|bureau|work|business|main|zentrale|direct|direkt|home|privat|電話|電話番号|携帯|t|p|m|w|d|h|o|c)?\.?\s*:?)\s*(?=[+(\d])/iu;

const FAX = /(?:^|[^\p{L}])(?:(?:tele|télé)?fax|télécopie|f|факс|faks|ファックス|ファクス|传真)\.?\s*:?\s*[(+]?$/iu;
const FAX_AT_START =
  /^\s*(?:(?:tele|télé)?fax|télécopie|f|факс|faks|ファックス|ファクス|传真)\b\.?\s*:?\s*(?=[+(\d])/iu;

/** Whether the number that follows, or that a text begins with, is a fax's. */
export function isFaxLabel(text: string): boolean {
  return FAX.test(text) || FAX_AT_START.test(text);
}

/** Words for an extension, in the languages that our users write, and signs for it. */
const EXTENSION_WORDS =
  "extension|extensión|extensao|extensão|extn|ext|xtn|xt|x|#|~|" +
  "poste|p(?=\\.)|durchwahl|dw|apparat|app|nebenstelle|nst|kl|klappe|" +
  "interno|interna|int|anexo|ramal|rml|toestel|tst|tstl|wewnętrzny|wewn|wew|w(?=\\.)|linka|klapka|mellék|dahili|" +
  "anknytning|ankn|lokalnr|lokal|lok|доб(?:авочный)?|внутр|вн|внутренний|内線|內線|分机|分機|내선";
/** What a caller does once the number has answered. */
const CALL_STEPS =
  "press|option|opt|dial|then(?:\\s+press)?|menu|taste|wählen|tapez|puis|pulse|marque|opción|opcion|premere|digitare|tecle|" +
  "opção|toets|kies|wybierz";
const DIGITS = "(\\d{1,7})";

/** `030 1234567 ext. 12`: the word stands between the number and the digits, and nothing behind them. */
const EXTENSION = pattern(EXTENSION_WORDS, "\\s*\\)?\\s*$");
const STEP = pattern(CALL_STEPS, "\\s*\\)?\\s*$");
/** The same where a remark follows. */
const EXTENSION_AND_MORE = pattern(EXTENSION_WORDS, "(?!\\d)");
const STEP_AND_MORE = pattern(CALL_STEPS, "(?!\\d)");

function pattern(words: string, end: string): RegExp {
  return new RegExp(`^(.*?\\d\\)?)[\\s,;.:/(\\-–]*(?<!\\p{L})(?:${words})[\\s.:#°-]*${DIGITS}${end}`, "iu");
}

export interface DividedNumber {
  number: string;
  extension: string;
  /** An extension and no step of a menu: number and extension say all that the text does. */
  isPlain: boolean;
}

/** The number and its extension; with `hasRemark` whatever follows. */
export function divideExtension(text: string, hasRemark = false): DividedNumber | null {
  const [extension, step] = hasRemark ? [EXTENSION_AND_MORE, STEP_AND_MORE] : [EXTENSION, STEP];
  const plain = extension.exec(text);
  const found = plain ?? step.exec(text);
  if (found === null) return null;
  return { number: found[1] ?? "", extension: found[2] ?? "", isPlain: plain !== null };
}

const KEYS = ["", "", "ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ"];
const MOST_SIGNS = 24;
/** Of a number in North America; what goes beyond is not dialled. */
const DIGITS_OF_A_NUMBER = 10;

/** A number that is spelled with letters, in digits; null for a text with other words, or with none. */
export function spelledInDigits(text: string): string | null {
  const compact = text.replace(/[\s().\-‐-―]/g, "").toUpperCase();
  if (compact.length > MOST_SIGNS || !/^\+?1?\d{3,6}[A-Z][A-Z\d]*$/.test(compact)) return null;
  const digits = compact.replace(/[A-Z]/g, (letter) => String(KEYS.findIndex((letters) => letters.includes(letter))));
  const national = digits.replace(/^\+?1(?=\d{10})/, "");
  return national.length < DIGITS_OF_A_NUMBER ? null : `+1${national.slice(0, DIGITS_OF_A_NUMBER)}`;
}
