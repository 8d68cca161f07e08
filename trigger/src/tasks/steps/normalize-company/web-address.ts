import { parse as parseHostname } from "tldts";

import { isFreemail } from "./freemail-domains";
import { isSiteHost, isSiteName } from "./site-hosts";
import { type Reading, wordSet } from "./text";

/** An org's own exceptions, as registrable domains. */
export interface DomainRules {
  freemail: ReadonlySet<string>;
  company: ReadonlySet<string>;
}

/** On these, a page belongs to the company and the domain does not: `linkedin.com/company/acme`. */
const PLATFORMS = wordSet(`
    facebook.com fb.com fb.me instagram.com linkedin.com lnkd.in twitter.com x.com youtube.com youtu.be tiktok.com
    pinterest.com xing.com vk.com ok.ru t.me wa.me linktr.ee bit.ly goo.gl google.com g.page yelp.com
    tripadvisor.com wikipedia.org crunchbase.com github.com gitlab.com apple.com amazon.com ebay.com ebay.de wix.com
    yellowpages.com gelbeseiten.de indeed.com glassdoor.com kununu.com calendly.com`);

/** Also with common typing errors: `htp://`, `hhtp://`, `http//`, `https:/`. */
const SCHEME = /^(h{0,2}t{1,3}p{1,2}s?)(?:[:;]+\/*|\/\/+)/i;
const OTHER_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const TRACKING_PARAMETER = /^(?:utm_[a-z_]+|gclid|gbraid|wbraid|fbclid|msclkid|mc_cid|mc_eid|_hsenc|_hsmi)(?:=|$)/i;
const EMAIL = /[^\s<>()[\]"',;:|\\]+@[^\s<>()[\]"',;:|\\]+/g;
const LOCAL_PART = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;

/**
 * A web address with scheme (`https` if none is given) and lower-case ASCII host, without user name, fragment and campaign
 * parameters.
 */
export function parseWebsite(text: string): Reading<string> | null {
  return firstOf(text, (part) => {
    const url = parseUrl(part);
    if (url === null) return null;
    const search = withoutTracking(url.search);
    const path = url.pathname === "/" && search === "" ? "" : url.pathname;
    return `${url.protocol}//${url.host.replace(/\.(?=:|$)/, "")}${path}${search}`;
  });
}

function withoutTracking(search: string): string {
  const kept = search
    .slice(1)
    .split("&")
    .filter((parameter) => parameter !== "" && !TRACKING_PARAMETER.test(parameter));
  return kept.length === 0 ? "" : `?${kept.join("&")}`;
}

/** The first e-mail address in lower case, if its domain can exist. */
export function parseEmail(text: string): Reading<string> | null {
  for (const [candidate] of text.matchAll(EMAIL)) {
    const email = readEmail(candidate);
    if (email === null) continue;
    const bare = text.replace(/^mailto:/i, "").replace(/^<(.*)>$/, "$1");
    return { value: email.address, complete: bare === candidate };
  }
  return null;
}

/**
 * The registrable domain, in ASCII, of a URL, a host name or an e-mail address. Null for mail providers, pages on social
 * platforms, IP addresses and names without a public suffix.
 */
export function parseCompanyDomain(text: string, rules: DomainRules): Reading<string> | null {
  return firstOf(text, (part) => {
    const url = parseUrl(part);
    if (url !== null) {
      const isPage = url.pathname !== "/" || withoutTracking(url.search) !== "";
      return companyDomain(url.hostname, isPage, rules);
    }
    for (const [candidate] of part.matchAll(EMAIL)) {
      const email = readEmail(candidate);
      const domain = email === null ? null : companyDomain(email.host, false, rules);
      if (domain !== null) return domain;
    }
    return null;
  });
}

/** Lets an org list `www.Acme.com` as well as `acme.com`. */
export function registrableDomain(text: string): string | null {
  const url = parseUrl(text.trim());
  return url === null ? null : (splitHost(url.hostname)?.domain ?? null);
}

function companyDomain(host: string, isPage: boolean, rules: DomainRules): string | null {
  const split = splitHost(host);
  if (split === null) return null;
  if (rules.company.has(split.domain)) return split.domain;
  if (rules.freemail.has(split.domain) || isFreemail(split.domain, split.label)) return null;
  return isPage && (split.isSharedByPages || PLATFORMS.has(split.domain)) ? null : split.domain;
}

interface Host {
  domain: string;
  /** The domain before its public suffix; empty for a customer's site at a website builder. */
  label: string;
  /** The website builder's own domain: a page on it belongs to a customer. */
  isSharedByPages: boolean;
}

/**
 * A customer's site at a website builder (`acme.myshopify.com`, `acme.wordpress.com`) is a domain of its own. The private
 * part of the suffix list has most builders, site-hosts.ts the others.
 */
function splitHost(host: string): Host | null {
  const hosted = parseHostname(host, { allowPrivateDomains: true });
  if (hosted.isPrivate === true && hosted.domain !== null && isSiteName(hosted.domainWithoutSuffix ?? ""))
    return { domain: hosted.domain, label: "", isSharedByPages: false };
  const { domain, domainWithoutSuffix, isIcann, subdomain } = hosted.isPrivate === true ? parseHostname(host) : hosted;
  if (domain === null || isIcann !== true) return null;
  const label = domainWithoutSuffix ?? "";
  if (!isSiteHost(domain, label)) return { domain, label, isSharedByPages: hosted.isPrivate === true };
  const site = subdomain?.split(".").at(-1) ?? "";
  return isSiteName(site)
    ? { domain: `${site}.${domain}`, label: "", isSharedByPages: false }
    : { domain, label, isSharedByPages: true };
}

/** If there are several schemes, as in `https://http://acme.com`, the last one counts. */
function parseUrl(text: string): URL | null {
  let rest = text;
  let scheme = "https";
  for (let match = SCHEME.exec(rest); match !== null; match = SCHEME.exec(rest)) {
    scheme = /s$/i.test(match[1] ?? "") ? "https" : "http";
    rest = rest.slice(match[0].length);
  }
  if (rest === "" || OTHER_SCHEME.test(rest) || (rest === text && rest.includes("@"))) return null;
  const address = `${scheme}://${rest}`;
  if (!URL.canParse(address)) return null;
  const url = new URL(address);
  return splitHost(url.hostname) === null ? null : url;
}

function readEmail(candidate: string): { address: string; host: string } | null {
  const at = candidate.lastIndexOf("@");
  const local = candidate
    .slice(0, at)
    .replace(/^mailto:/i, "")
    .toLowerCase();
  const host = candidate.slice(at + 1).replace(/\.+$/, "");
  if (!LOCAL_PART.test(local) || host.includes("/") || !URL.canParse(`https://${host}`)) return null;
  const ascii = new URL(`https://${host}`).hostname;
  return splitHost(ascii) === null ? null : { address: `${local}@${ascii}`, host: ascii };
}

/** Reads the first address in a cell. Other text in the cell makes the reading incomplete. */
function firstOf(text: string, read: (part: string) => string | null): Reading<string> | null {
  const parts = text.split(/[\s,;|]+/).filter((part) => part !== "");
  for (const part of parts) {
    const value = read(part);
    if (value !== null) return { value, complete: parts.length === 1 };
  }
  return null;
}
