/** `="0123"`: how exports make a spreadsheet keep a value as text. */
const FORMULA_GUARD = /^=\s*"((?:[^"]|"")*)"$/;
const HYPERLINK = /^=\s*HYPERLINK\(\s*"((?:[^"]|"")*)"\s*(?:[,;]\s*"((?:[^"]|"")*)"\s*)?\)$/i;
/** `'0123`, likewise; but not the article of "'t Hoekje", and no pair of quotes. */
const APOSTROPHE_GUARD = /^'(?![a-z](?:[\s'-]|$))(?=[\p{L}\p{N}+(=])(?!.*'$)/iu;

/** The text inside what a spreadsheet needs around it; of a hyperlink the address, or what is shown. */
export function withoutGuard(cell: string, wantsAddress: boolean): string {
  let text = cell;
  for (let before = ""; before !== text && /^['=]/.test(text);) {
    before = text;
    const [, guarded] = FORMULA_GUARD.exec(text) ?? [];
    const [, address, label] = HYPERLINK.exec(text) ?? [];
    if (guarded !== undefined) text = unquote(guarded);
    else if (address !== undefined) text = unquote(wantsAddress ? address : (label ?? address));
    else text = text.replace(APOSTROPHE_GUARD, "");
    text = text.trim();
  }
  return text;
}

/** The text inside `="…"`; of other formulas nothing is known. */
export function withoutFormulaGuard(text: string): string {
  let [rest, before] = [text, ""];
  while (rest !== before && rest.startsWith("=")) {
    before = rest;
    const [, guarded] = FORMULA_GUARD.exec(rest) ?? [];
    if (guarded !== undefined) rest = unquote(guarded).trim();
  }
  return rest;
}

function unquote(text: string): string {
  return text.replaceAll('""', '"');
}
