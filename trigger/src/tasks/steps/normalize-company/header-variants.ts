import { foldText, words, wordSet } from "./text";

/** A header without case, accents, spaces and punctuation: `Company Name`, `company_name` and `CompanyName` are one. */
export function headerKey(header: string): string {
  return foldText(header).replaceAll(" ", "");
}

/** Words in brackets that say how a value is written, or which of several it is: "Employees (FTE)", "Phone (work)". */
const QUALIFIERS = new Set(
  words(`
    1 a3 alpha2 alpha3 approx bureau business büro ca company count e164 english erforderlich est estimated fte ftes general
    geschäftlich head hq iso iso2 iso3 kantoor legal local main number obbligatorio obligatoire obligatorio oficina official
    optional pflicht pflichtfeld praca primary required total travail trabajo ufficio verplicht work work office wymagane`).map(
    headerKey,
  ),
);

/** Words before a header that say that it is about the company: "Corporate Phone", "Account: Billing Country". */
const COMPANY = new Set(
  "account business company corporate firm fields attributes organisation organization properties".split(" "),
);
/** Words before a header that say which of several: "Headquarters Country", "Main Phone Number", "Work Address City". */
const PLACE = wordSet("address head headquarters headquarter hq main office primary work");

/** What a header may be besides what it is: the same without what others write around it. */
export interface HeaderVariant {
  key: string;
  /** It was said that the company is meant: a name is the company's then, and no person's. */
  isOfCompany: boolean;
}

/** From the plainest on; the header itself is not among them. */
export function headerVariants(header: string): HeaderVariant[] {
  const plain = withoutQualifier(header.replace(/__c$/i, ""));
  const numbered = plain.replace(/(?<=[\p{L}\s_-])1$/u, "");
  const [context = "", last = ""] = /^(.*?)(?:[:>/.]|\s-\s)([^:>/.]+)$/.exec(plain)?.slice(1) ?? [];
  const isInCompany = COMPANY.has(foldText(context).split(" ")[0] ?? "");
  const words = foldText(plain.replace(/(?<=[a-z])(?=[A-Z])/g, " ")).split(" ");
  const bare = words.slice(words.findIndex((word) => !COMPANY.has(word) && !PLACE.has(word)));
  const leading = words.slice(0, words.length - bare.length);
  const variants = [
    { key: headerKey(plain), isOfCompany: false },
    { key: headerKey(numbered), isOfCompany: false },
    ...(isInCompany ? [{ key: headerKey(last), isOfCompany: true }] : []),
    // "Account Site" is a place, and "HQ Name" not the company's.
    ...(leading.length > 0 && bare.join("") !== "site"
      ? [{ key: bare.join(""), isOfCompany: leading.some((word) => COMPANY.has(word)) }]
      : []),
  ];
  const own = headerKey(header);
  return variants.filter(({ key, isOfCompany }) => key !== "" && (key !== own || isOfCompany));
}

function withoutQualifier(header: string): string {
  const [, before = "", qualifier = "", after = ""] = /^(.*?)[([{（【]([^)\]}）】]*)[)\]}）】](.*)$/.exec(header) ?? [];
  return QUALIFIERS.has(headerKey(qualifier)) ? `${before} ${after}` : header;
}
