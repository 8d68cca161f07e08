/** The characters that Windows-1252 has where Latin-1 has control characters, with their bytes. */
const WINDOWS_1252_SPECIALS: ReadonlyMap<string, number> = new Map(
  [..."€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ"].map((sign, index) => [sign, 0x80 + index]),
);

/** A lead byte of UTF-8 that was read as a letter, and a character that can be its next byte. */
const SUSPICIOUS = /[Â-ô][^\x20-\x7eÀ-ÿ]/;

/**
 * Repairs the most common damage in exports: UTF-8 that was read as Windows-1252 ("MÃ¼nchen"). It does so only if the
 * whole text becomes valid UTF-8, which correct text does not.
 */
export function repairMojibake(text: string): string {
  if (!SUSPICIOUS.test(text)) return text;
  const bytes: number[] = [];
  for (const sign of text) {
    const byte = WINDOWS_1252_SPECIALS.get(sign) ?? sign.codePointAt(0) ?? 0;
    if (byte > 0xff) return text;
    bytes.push(byte);
  }
  const repaired = Buffer.from(bytes).toString("utf8");
  return repaired.includes("\ufffd") ? text : repaired;
}
