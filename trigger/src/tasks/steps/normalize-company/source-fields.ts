import { foldText } from "./text";

/**
 * The canonical fields in their output order, each with its headers in usual CRM exports. The canonical name comes first,
 * so that a record which was normalised before keeps its values.
 */
// prettier-ignore
export const DEFAULT_SOURCE_FIELDS = {
  name: [
    "name", "company", "company name", "account name", "organization", "organization name", "organisation",
    "business name", "legal name", "firma", "firmenname", "unternehmen", "société", "entreprise", "raison sociale",
    "empresa", "razón social", "azienda", "ragione sociale", "bedrijfsnaam",
  ],
  domain: ["domain", "company domain", "company domain name", "website domain", "email domain"],
  website: [
    "website", "website url", "web site", "company website", "url", "company url", "web", "homepage", "web address",
    "webseite", "site web", "sitio web", "sito web",
  ],
  email: [
    "email", "email address", "company email", "contact email", "mail", "email adresse", "courriel",
    "correo electrónico",
  ],
  phone: [
    "phone", "phone number", "company phone", "main phone", "business phone", "telephone", "tel", "telefon",
    "telefonnummer", "téléphone", "teléfono", "telefono", "telefoon",
  ],
  phone_extension: ["phone extension", "extension", "phone ext", "ext", "durchwahl"],
  country: [
    "country", "country code", "country region", "billing country", "company country", "hq country", "land", "pays",
    "país", "paese",
  ],
  city: [
    "city", "town", "billing city", "company city", "hq city", "stadt", "ort", "ville", "ciudad", "città", "plaats",
  ],
  employees: [
    "employees", "number of employees", "no of employees", "employee count", "num employees", "headcount",
    "company size", "mitarbeiter", "mitarbeiterzahl", "anzahl mitarbeiter", "effectif", "empleados", "dipendenti",
    "medewerkers",
  ],
  industry: ["industry", "sector", "branche", "secteur", "industria", "settore"],
} as const satisfies Record<string, readonly string[]>;

export type CanonicalField = keyof typeof DEFAULT_SOURCE_FIELDS;
export const CANONICAL_FIELDS = Object.keys(DEFAULT_SOURCE_FIELDS) as CanonicalField[];

/** Which of a record's headers each canonical field is read from, in the order in which they are tried. */
export type HeaderPlan = ReadonlyMap<CanonicalField, readonly string[]>;

/** A header without case, accents, spaces and punctuation: `Company Name` and `company_name` have the same key. */
export function headerKey(header: string): string {
  return foldText(header).replaceAll(" ", "");
}

/**
 * Caches plans by list of headers. Records of a file share their headers, so a chunk needs one or two plans. A planner
 * lives as long as a chunk, so that odd records cannot make it grow.
 */
export function headerPlanner(
  fields: Readonly<Record<CanonicalField, readonly string[]>>,
): (data: Record<string, unknown>) => HeaderPlan {
  const ranks = new Map<string, { field: CanonicalField; rank: number }>();
  for (const field of CANONICAL_FIELDS) {
    fields[field].forEach((source, rank) => {
      const key = headerKey(source);
      if (!ranks.has(key)) ranks.set(key, { field, rank });
    });
  }
  const plans = new Map<string, HeaderPlan>();
  return (data) => {
    const headers = Object.keys(data);
    const cacheKey = JSON.stringify(headers);
    let plan = plans.get(cacheKey);
    if (plan === undefined) {
      plan = planHeaders(headers, ranks);
      plans.set(cacheKey, plan);
    }
    return plan;
  };
}

function planHeaders(
  headers: string[],
  ranks: ReadonlyMap<string, { field: CanonicalField; rank: number }>,
): HeaderPlan {
  const ranked: { header: string; field: CanonicalField; rank: number }[] = [];
  for (const header of headers) {
    const match = ranks.get(headerKey(header));
    if (match !== undefined) ranked.push({ header, ...match });
  }
  // A record may have both `Name` and `name`. The canonical spelling wins: this step may have written it, and left the
  // others. Among the others the spelling decides, and not the order in the JSON.
  const isCanonical = ({ header, field }: (typeof ranked)[number]) => Number(header === field);
  ranked.sort((a, b) => a.rank - b.rank || isCanonical(b) - isCanonical(a) || (a.header < b.header ? -1 : 1));
  const sources = new Map<CanonicalField, string[]>();
  for (const { header, field } of ranked) {
    const list = sources.get(field);
    if (list === undefined) sources.set(field, [header]);
    else list.push(header);
  }
  return sources;
}
