import { decodeHTML, decodeHTMLStrict } from "entities";

const REFERENCE = /&(?:#(?:x[0-9a-f]+|\d+)|[a-z][a-z0-9]*);?/gi;
const ACCENTED_LETTER = /^&(?:[a-z](?:acute|cedil|circ|grave|ring|slash|tilde|uml)|(?:ae|sz)lig)/i;

/**
 * Character references as browsers read them, also those in one another (`&amp;eacute;`). Those without a semicolon
 * only in `prose`: an address may hold a bare `&copy`. Where such a name runs into letters, only an accented letter is
 * read (`Stra&szlige`): a browser also makes "Smithþe" of `Smith&thorne`.
 */
export function decodeEntities(text: string, { prose }: { prose: boolean }): string {
  let decoded = text;
  for (let before = ""; before !== decoded && decoded.includes("&");) {
    before = decoded;
    decoded = decoded.replace(REFERENCE, (reference) => decodeReference(reference, prose));
  }
  return decoded;
}

function decodeReference(reference: string, prose: boolean): string {
  const name = reference.replace(/;$/, "");
  const strict = decodeHTMLStrict(`${name};`);
  const isKnown = strict !== `${name};`;
  if (strict.includes("\ufffd")) return reference;
  if (isKnown && reference !== name) return strict;
  if (!prose) return reference;
  const legacy = decodeHTML(reference);
  return (isKnown && legacy === strict) || ACCENTED_LETTER.test(name) ? legacy : reference;
}
