import { describe, expect, it } from "vitest";

import { blankWords, DEFAULT_BLANK_VALUES, isBlank } from "./blank-values";
import { caseOfColumn } from "./column-case";
import { cellText } from "./cell";
import { decodeEntities } from "./entities";

const entities: [text: string, decoded: string][] = [
  ["Peter Kiewit Sons&#8217;", "Peter Kiewit Sons’"],
  ["O&#039;Neil &amp; Sons", "O'Neil & Sons"],
  ["Caf&eacute Central", "Café Central"],
  ["Stra&szligenbau", "Straßenbau"],
  ["M&#xFC;ller", "Müller"],
  ["M&#252ller", "Müller"],
  ["&amp;amp;eacute;", "é"],
  ["&#128;", "€"],
  ["&CounterClockwiseContourIntegral;", "∳"],
  ["AT&T", "AT&T"],
  ["Smith&thorne", "Smith&thorne"],
  ["A&GTECH", "A&GTECH"],
  ["R&D; Labs", "R&D; Labs"],
  ["&#0;", "&#0;"],
];

const guards: [text: string, inside: string][] = [
  ['="Acme Inc"', "Acme Inc"],
  ['="Acme ""Rockets"""', 'Acme "Rockets"'],
  ['="=""Acme"""', "Acme"],
  ["'Acme", "Acme"],
  ["&#39;Acme", "Acme"],
  ["'t Hoekje", "'t Hoekje"],
  ["'s-Hertogenbosch", "'s-Hertogenbosch"],
  ["'Acme'", "'Acme'"],
  ['=HYPERLINK("http://acme.com";"Acme")', "Acme"],
  ["=1+1", "=1+1"],
];

describe("a cell", () => {
  it.each(entities)("%s has its entities read: %s", (text, decoded) =>
    expect(decodeEntities(text, { prose: true })).toBe(decoded),
  );
  it("of an address keeps what only looks like an entity", () => {
    expect(cellText("acme.com/?a=1&copy=2&amp;b=3", "website")).toBe("acme.com/?a=1&copy=2&b=3");
  });
  it.each(guards)("%s says %s", (text, inside) => expect(cellText(text, "name")).toBe(inside));
  it("that is a link has its address where an address is wanted", () => {
    expect(cellText('=HYPERLINK("http://acme.com","Acme")', "website")).toBe("http://acme.com");
  });
  it("keeps its lines apart where each can be a value", () => {
    expect(cellText("202-555-0143\r\n202-555-0144\n", "phone")).toBe("202-555-0143 ; 202-555-0144");
    expect(cellText("Acme\nRockets", "name")).toBe("Acme Rockets");
  });
});

describe("nothing", () => {
  const words = blankWords(DEFAULT_BLANK_VALUES);

  it.each([
    "#REF!",
    "#NAME?",
    "#N/A",
    "#VALUE!",
    "#DIV/0!",
    "#BEZUG!",
    "#NOM?",
    "#¿NOMBRE?",
    "#NV",
    "########",
    "N/A",
    "TBD",
  ])("is what %s says", (text) => expect(isBlank(text, words)).toBe(true));
  it.each([
    "unknown",
    "unbekannt",
    "Inconnu",
    "desconocido",
    "sconosciuto",
    "desconhecido",
    "onbekend",
    "brak danych",
    "不明",
  ])("is what %s says in its language", (text) => expect(isBlank(text, words)).toBe(true));
  it.each(["0", "X", "NC", "#1 Nails", "Acme #", "None Such Ltd"])("is not what %s says", (text) =>
    expect(isBlank(text, words)).toBe(false),
  );
  it("is said by a spreadsheet's errors also where the org has words of its own", () => {
    expect(isBlank("#REF!", blankWords([]))).toBe(true);
  });
});

describe("a column", () => {
  const column = (filled: number, capitals: number, lower_case = 0) => ({
    name: "Name",
    filled,
    capitals,
    lower_case,
    numeric: 0,
  });

  it.each([
    [column(1_000, 900), "capitals"],
    [column(1_000, 899), null],
    [column(10, 0, 9), "lower_case"],
    [column(10, 5, 5), null],
    [column(7, 7), null],
    [column(0, 0), null],
    [undefined, null],
  ])("of %j is written in %s", (profile, expected) => expect(caseOfColumn(profile)).toBe(expected));
});
