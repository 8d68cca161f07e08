import { _, str, type FuncKeywordDefinition } from "ajv/dist/2020.js";

/**
 * `multipleOf` in decimal arithmetic. The library divides binary numbers, in which 19.99 is not a multiple of 0.01; a
 * tolerance would accept numbers that are not multiples.
 */
export const multipleOf = {
  keyword: "multipleOf",
  type: "number",
  schemaType: "number",
  compile: (divisor: number) => (value: number) => isMultipleOf(value, divisor),
  errors: false,
  error: {
    message: ({ schemaCode }) => str`must be multiple of ${schemaCode}`,
    params: ({ schemaCode }) => _`{multipleOf: ${schemaCode}}`,
  },
} satisfies FuncKeywordDefinition;

function isMultipleOf(value: number, divisor: number): boolean {
  const [dividend, by] = [asDecimal(value), asDecimal(divisor)];
  const scale = Math.min(dividend.exponent, by.exponent);
  const rounded = ({ digits, exponent }: Decimal) => Number(digits) * 10 ** (exponent - scale);
  if (Number.isSafeInteger(rounded(dividend)) && Number.isSafeInteger(rounded(by)))
    return rounded(dividend) % rounded(by) === 0;
  const scaled = ({ digits, exponent }: Decimal) => BigInt(digits) * 10n ** BigInt(exponent - scale);
  return scaled(dividend) % scaled(by) === 0n;
}

/** digits × 10^exponent */
interface Decimal {
  digits: string;
  exponent: number;
}

/** The shortest decimal number that reads as this double, as JSON writes it. */
function asDecimal(value: number): Decimal {
  const [mantissa = "", power = "0"] = String(value).split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  return { digits: whole + fraction, exponent: Number(power) - fraction.length };
}
