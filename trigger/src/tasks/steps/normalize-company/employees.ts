import type { Reading } from "./text";

/** What a range such as "51-200" becomes. */
export type RangePolicy = "lower" | "upper" | "midpoint" | "null";

/** No employer has more. A larger figure is a phone number or a revenue in the wrong column. */
const MOST_EMPLOYEES = 10_000_000;

const UNITS: Readonly<Record<string, number>> = { k: 1e3, tsd: 1e3, thousand: 1e3, m: 1e6, mio: 1e6, million: 1e6 };
const NUMBER = String.raw`(\d{1,3}(?:[.,' ]\d{3})+|\d+(?:[.,]\d+)?)\s?(k|tsd|thousand|m|mio|million)?\.?`;
const ABOUT = /^(?:ca\.?|circa|approx\.?|approximately|about|around|roughly|etwa|rund|ungefähr|environ|~|≈)\s*/;
const NOUN = new RegExp(
  String.raw`\s*(?:full[- ]time )?(?:employees?|people|persons?|staff|ftes?|headcount|mitarbeiter(?:[:*]?innen)?|ma` +
    String.raw`|beschäftigte|salariés|personnes|empleados|personas|dipendenti|medewerkers)\.?$`,
);
const SINGLE = new RegExp(`^${NUMBER}$`);
const RANGE = new RegExp(String.raw`^(?:from |von |de )?${NUMBER}\s?(?:-|–|—|‐|‑|to|bis|à|a|\.\.+)\s?${NUMBER}$`);
const AT_LEAST = new RegExp(
  String.raw`^(?:>=?|≥|over|more than|at least|min\.?|mehr als|über|mindestens|ab|plus de)\s?${NUMBER}$|^${NUMBER}\s?\+$`,
);
const AT_MOST = new RegExp(
  String.raw`^(?:<=?|≤|under|up to|less than|fewer than|max\.?|bis zu|bis|weniger als|unter|moins de)\s?${NUMBER}$`,
);

/**
 * A head count as an integer: "1,200", "1.200", "10k", "ca. 50 employees". A range, "500+" and "<10" become one number by
 * `policy`, as incomplete readings. Anything else is null, fractions and negative numbers included.
 */
export function parseEmployees(raw: string | number, policy: RangePolicy): Reading<number | null> | null {
  if (typeof raw === "number") return isHeadCount(raw) ? { value: raw, complete: true } : null;
  const text = raw
    .normalize("NFKC")
    .toLowerCase()
    .replace(/’/g, "'")
    .replace(/\s+/g, " ")
    .trim()
    .replace(ABOUT, "")
    .replace(NOUN, "");

  const single = SINGLE.exec(text);
  if (single !== null) {
    const value = toCount(single[1], single[2]);
    return value === null ? null : { value, complete: true };
  }
  const range = RANGE.exec(text);
  if (range !== null) return fromRange(toCount(range[1], range[2] ?? range[4]), toCount(range[3], range[4]), policy);
  const atLeast = AT_LEAST.exec(text);
  if (atLeast !== null) {
    const value = toCount(atLeast[1] ?? atLeast[3], atLeast[2] ?? atLeast[4]);
    return value === null ? null : { value: policy === "null" ? null : value, complete: false };
  }
  const atMost = AT_MOST.exec(text);
  if (atMost !== null) return fromRange(1, toCount(atMost[1], atMost[2]), policy);
  return null;
}

function fromRange(lower: number | null, upper: number | null, policy: RangePolicy): Reading<number | null> | null {
  if (lower === null || upper === null || lower > upper) return null;
  const value = { lower, upper, midpoint: Math.floor((lower + upper) / 2), null: null }[policy];
  return { value, complete: false };
}

/** A separator before three digits marks thousands in every notation ("1.200"); any other is a decimal point ("1.5k"). */
function toCount(digits: string | undefined, unit: string | undefined): number | null {
  if (digits === undefined) return null;
  const isGrouped = /^\d{1,3}(?:[.,' ]\d{3})+$/.test(digits);
  const number = Number(isGrouped ? digits.replace(/[.,' ]/g, "") : digits.replace(",", "."));
  // "1.1k" is 1100.0000000000002 in binary. Only more than a millionth is a real fraction.
  const count = Math.round(number * (unit === undefined ? 1 : (UNITS[unit] ?? 1)) * 1e6) / 1e6;
  return isHeadCount(count) ? count : null;
}

function isHeadCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MOST_EMPLOYEES && !Object.is(value, -0);
}
