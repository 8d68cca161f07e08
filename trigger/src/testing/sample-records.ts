import { readFileSync } from "node:fs";

/** The raw records of `local/samples`. */
export function sampleRecords(): Record<string, string>[] {
  return [...recordsOf("companies.csv", "utf-8", ","), ...recordsOf("companies-windows-1252.csv", "windows-1252", ";")];
}

function recordsOf(file: string, encoding: string, delimiter: string): Record<string, string>[] {
  const bytes = readFileSync(new URL(`../../../local/samples/${file}`, import.meta.url));
  const [headers = [], ...rows] = rowsOf(new TextDecoder(encoding).decode(bytes), delimiter);
  return rows.map((row) => Object.fromEntries(headers.map((header, column) => [header, row[column] ?? ""])));
}

/** Cells are bare, or in quotes with quotes doubled; the files end with a line break. */
function rowsOf(text: string, delimiter: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, bare = "", end] of text.matchAll(
    new RegExp(`(?:"((?:[^"]|"")*)"|([^${delimiter}\\r\\n]*))(${delimiter}|\\r\\n|$)`, "g"),
  )) {
    row.push(quoted?.replaceAll('""', '"') ?? bare);
    if (end === delimiter) continue;
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  return rows;
}
