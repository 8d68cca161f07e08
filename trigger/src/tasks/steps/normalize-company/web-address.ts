import { type DomainRules, type Host, splitHost } from "./company-host";
import { isDisposable } from "./disposable-domains";
import { mailHosts } from "./email-address";
import { isFreemail } from "./freemail-domains";
import { isPlaceholderDomain, isPlaceholderMailDomain } from "./placeholders";
import type { Reading } from "./text";

/** Also with common typing errors: `htp://`, `hhtp://`, `http//`, `https:/`. */
const SCHEME = /^(h{0,2}t{1,3}p{1,2}s?)(?:[:;]+\/*|\/\/+)/i;
const OTHER_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const TRACKING_PARAMETER = /^(?:utm_[a-z_]+|gclid|gbraid|wbraid|fbclid|msclkid|mc_cid|mc_eid|_hsenc|_hsmi)(?:=|$)/i;

/**
 * A web address with scheme (`https` if none is given) and lower-case ASCII host, without user name, fragment and campaign
 * parameters. Null for a placeholder.
 */
export function parseWebsite(text: string, rules: DomainRules): Reading<string> | null {
  return firstOf(text, (part) => {
    const url = parseUrl(part);
    if (url === null || (!rules.company.has(url.host.domain) && isPlaceholderDomain(url.host.domain, url.host.label)))
      return null;
    const { protocol, host, pathname } = url.url;
    const search = withoutTracking(url.url.search);
    const path = pathname === "/" && search === "" ? "" : pathname;
    return `${protocol}//${host.replace(/\.(?=:|$)/, "")}${path}${search}`;
  });
}

function withoutTracking(search: string): string {
  const kept = search
    .slice(1)
    .split("&")
    .filter((parameter) => parameter !== "" && !TRACKING_PARAMETER.test(parameter));
  return kept.length === 0 ? "" : `?${kept.join("&")}`;
}

/**
 * The registrable domain, in ASCII, of a URL, a host name or an e-mail address. Null for mail providers, pages and hosts at
 * portals, placeholders, IP addresses and names without a public suffix.
 */
export function parseCompanyDomain(text: string, rules: DomainRules): Reading<string> | null {
  if (text.includes("@")) {
    for (const host of mailHosts(text)) {
      const domain = mailDomain(host, rules);
      // More than an address alone: another may be meant.
      if (domain !== null) return { value: domain, complete: !/[\s,;|]/.test(text) };
    }
  }
  return firstOf(text, (part) => {
    const parsed = parseUrl(part);
    if (parsed === null) return null;
    const isPage = parsed.url.pathname !== "/" || withoutTracking(parsed.url.search) !== "";
    return siteDomain(parsed.host, isPage, rules);
  });
}

/** Lets an org list `www.Acme.com` as well as `acme.com`. */
export function registrableDomain(text: string): string | null {
  return parseUrl(text.trim())?.host.domain ?? null;
}

function mailDomain(host: Host, rules: DomainRules): string | null {
  const { domain, label } = host;
  if (rules.company.has(domain)) return domain;
  if (isProvider(host, rules) || host.isSharedByMail || host.isAtPortal || isPlaceholderMailDomain(domain, label))
    return null;
  return domain;
}

function siteDomain(host: Host, isPage: boolean, rules: DomainRules): string | null {
  const { domain, label } = host;
  if (rules.company.has(domain)) return domain;
  if (isProvider(host, rules) || host.isAtPortal || isPlaceholderDomain(domain, label)) return null;
  return isPage && host.isSharedByPages ? null : domain;
}

function isProvider({ domain, label }: Host, rules: DomainRules): boolean {
  return rules.freemail.has(domain) || isFreemail(domain, label) || isDisposable(domain);
}

/** If there are several schemes, as in `https://http://acme.com`, the last one counts. */
function parseUrl(text: string): { url: URL; host: Host } | null {
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
  const host = splitHost(url.hostname);
  return host === null ? null : { url, host };
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
