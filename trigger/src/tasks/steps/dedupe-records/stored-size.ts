const escaped = /[\\"\u0000-\u001f]/;

/** The bytes of a value as the database writes it: as JSON text with a blank after each comma and colon. */
export function storedBytes(value: unknown): number {
  switch (typeof value) {
    case "string":
      return escaped.test(value) ? Buffer.byteLength(JSON.stringify(value)) : Buffer.byteLength(value) + 2;
    case "number":
      return digitsOf(value);
    case "object":
      if (value === null) return 4;
      return Array.isArray(value) ? bytesOfList(value) : bytesOfObject(value as Record<string, unknown>);
    default:
      return String(value).length;
  }
}

function bytesOfList(values: readonly unknown[]): number {
  let bytes = 2 + 2 * Math.max(0, values.length - 1);
  for (const value of values) bytes += storedBytes(value);
  return bytes;
}

function bytesOfObject(object: Record<string, unknown>): number {
  const keys = Object.keys(object);
  let bytes = 2;
  for (const key of keys) bytes += entryBytes(key, object[key]);
  return keys.length === 0 ? bytes : bytes - 2;
}

/** The bytes of a field and its value in an object, with colon, comma and blanks. */
export function entryBytes(key: string, value: unknown): number {
  return storedBytes(key) + storedBytes(value) + 4;
}

/** The database writes no exponents: 1e300 has 301 digits there. The result may be a few bytes too large, never too small. */
function digitsOf(number: number): number {
  const [digits = "", exponent] = String(number).split("e");
  return digits.length + (exponent === undefined ? 0 : Math.abs(Number(exponent)) + 1);
}
