import { type DomainRules, type Host, splitHost } from "./company-host";
import { isFreemail } from "./freemail-domains";
import { isPlaceholderAtProvider, isPlaceholderLocalPart, isPlaceholderMailDomain } from "./placeholders";
import type { Reading } from "./text";

/** RFC 5322: atoms with dots between them. */
const LOCAL_PART = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
/** Between the addresses of a cell. A comma or slash is also part of a damaged address: what it cuts must be whole. */
const SEPARATORS = /(\s*(?:[;,|]|\s\/\s|:::|\s(?:or|and|oder|und|ou|et|o|e|y|of|en|lub|i|&)\s)\s*)/i;
const MOST_PIECES = 20;
/** `Jane <jane@acme.com>`, `Jane (jane@acme.com)`. */
const IN_BRACKETS = /[<([]\s*(?:mailto:)?([^<>()[\]]*@[^<>()[\]]*?)\s*[>)\]]/i;
/** What may stand before an address: a word with a colon, or one that says what follows. */
const LABEL = /^(?:[\p{L} .-]{1,30}:|e-?mail|mail)\s*(?=\S+@)/iu;
/** What may stand behind an address: brackets, a dash and more, or a word that is too long to be the end of a domain. */
const REMARK = /\s*(?:<[^<>]*>|\([^()]*\)|\[[^[\]]*\]|\s[-–—]\s.*|\s\p{L}{4,}(?:[\s.,:].*)?)$/u;

export interface EmailAddress {
  address: string;
  host: Host;
}

/**
 * A single e-mail address in lower case with an ASCII domain that can exist. Taken whole or not at all: what stands
 * beside it without being set off may be its other half (`mike.o neal@acme.com`).
 */
export function parseEmail(text: string, rules: DomainRules): Reading<string> | null {
  const found = findAddress(text, (piece) => {
    const email = readAddress(piece);
    return email !== null && isMeant(email, rules) ? email : null;
  });
  return found === null ? null : { value: found.value.address, complete: found.complete };
}

/** Somebody's address, and not what people type to fill the field. */
function isMeant({ address, host }: EmailAddress, rules: DomainRules): boolean {
  if (rules.company.has(host.domain)) return true;
  const local = address.slice(0, address.lastIndexOf("@"));
  if (isFreemail(host.domain, host.label) && isPlaceholderAtProvider(local, host.label)) return false;
  return !isPlaceholderLocalPart(local) && !isPlaceholderMailDomain(host.domain, host.label);
}

/**
 * The hosts of the addresses in a text. The part before the @ may be damaged; the host is taken only where nothing
 * that can belong to it follows.
 */
export function mailHosts(text: string): Host[] {
  const hosts: Host[] = [];
  for (const { text: piece } of splitIntoPieces(text)) {
    for (const candidate of [piece.replace(REMARK, ""), IN_BRACKETS.exec(piece)?.[1] ?? ""]) {
      const words = candidate.split(/\s+/, MOST_PIECES);
      words.forEach((word, index) => {
        const isLast = words[index + 1]?.includes("@") ?? true;
        const host = isLast && word.lastIndexOf("@") > 0 ? readHost(word.slice(word.lastIndexOf("@") + 1)) : null;
        if (host !== null) hosts.push(host.host);
      });
    }
  }
  return hosts;
}

function findAddress<Found>(text: string, read: (piece: string) => Found | null): Reading<Found> | null {
  const whole = read(text);
  if (whole !== null) return { value: whole, complete: true };
  const pieces = splitIntoPieces(text);
  const filled = pieces.filter(({ text }) => text !== "");
  for (const piece of filled) {
    const bare = piece.isCut ? null : read(piece.text);
    if (bare !== null) return { value: bare, complete: filled.length === 1 };
    for (const framed of withoutFrame(piece.text)) {
      const value = read(framed);
      if (value !== null) return { value, complete: false };
    }
    const first = firstOfList(piece.text, read);
    if (first !== null) return { value: first, complete: false };
  }
  return null;
}

interface Piece {
  text: string;
  /** It touches a neighbour that is no address: a comma without blanks may have cut an address in two. */
  isCut: boolean;
}

function splitIntoPieces(text: string): Piece[] {
  const parts = text.split(SEPARATORS, 2 * MOST_PIECES);
  const isHalf = (separator: string | undefined, neighbour: string | undefined) =>
    separator !== undefined &&
    separator.trim() === separator &&
    neighbour !== undefined &&
    neighbour !== "" &&
    !neighbour.includes("@");
  return parts.flatMap((part, index) => {
    if (index % 2 === 1) return [];
    const isCut = isHalf(parts[index - 1], parts[index - 2]) || isHalf(parts[index + 1], parts[index + 2]);
    return [{ text: part.trim(), isCut }];
  });
}

/** What a piece holds without a name, a label or a remark that is set off from it. */
function withoutFrame(piece: string): string[] {
  const bare = piece.replace(LABEL, "").replace(REMARK, "");
  const inside = IN_BRACKETS.exec(piece)?.[1];
  return [...(bare === piece ? [] : [bare]), ...(inside === undefined ? [] : [inside])];
}

/** `a@acme.com b@acme.com`, `a@acme.com/b@acme.com`: every word must be an address. */
function firstOfList<Found>(piece: string, read: (part: string) => Found | null): Found | null {
  for (const separator of [/\s+/, /\s*[/&]\s*/]) {
    const words = piece.split(separator, MOST_PIECES);
    if (words.length < 2 || !words.every((word) => readAddress(word) !== null)) continue;
    for (const word of words) {
      const found = read(word);
      if (found !== null) return found;
    }
  }
  return null;
}

/** An address and nothing else, but for quotes, brackets and `mailto:` around it. */
function readAddress(text: string): EmailAddress | null {
  const bare = withoutMailto(text.replace(/^(["'<(])(.*)([>"')])$/, unwrap));
  const at = bare.lastIndexOf("@");
  const local = bare.slice(0, at);
  if (at < 1 || !LOCAL_PART.test(local)) return null;
  const host = readHost(bare.slice(at + 1));
  return host === null ? null : { address: `${local.toLowerCase()}@${host.ascii}`, host: host.host };
}

function unwrap(whole: string, open: string, inside: string, close: string): string {
  return `${open}${close}` === "<>" || `${open}${close}` === "()" || open === close ? inside.trim() : whole;
}

/** The address of a link, whose signs may be escaped (RFC 6068). */
function withoutMailto(text: string): string {
  const [, address] = /^mailto:\s*([^?]*)(?:\?.*)?$/i.exec(text) ?? [];
  if (address === undefined) return text;
  try {
    return decodeURIComponent(address);
  } catch {
    return address;
  }
}

function readHost(text: string): { host: Host; ascii: string } | null {
  const name = text.replace(/\.+$/, "");
  if (!/^[\p{L}\p{M}\p{N}.\u3002\uff0e-]+$/u.test(name) || !URL.canParse(`https://${name}`)) return null;
  const ascii = new URL(`https://${name}`).hostname;
  const host = splitHost(ascii);
  return host === null ? null : { host, ascii };
}
