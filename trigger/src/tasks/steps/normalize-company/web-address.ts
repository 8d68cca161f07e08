import { splitHost, type Host } from "./company-host";
import { isDisposable } from "./disposable-domains";
import { mailHosts } from "./email-address";
import { isFreemail } from "./freemail-domains";
import { isPlaceholderDomain, isPlaceholderMailDomain } from "./placeholders";
import type { Reading } from "./text";

/** An org's own exceptions, as registrable domains. */
export interface DomainRules {
  freemail: ReadonlySet<string>;
  company: ReadonlySet<string>;
}

/** With the usual slips: `htp://`, `hhtp://`, `http//`, `https:/`. */
const SCHEME = /^(h{0,2}t{1,3}p{1,2}s?)(?:[:;]+\/*|\/\/+)/i;
const OTHER_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const TRACKING_PARAMETER = /^(?:utm_[a-z_]+|gclid|gbraid|wbraid|fbclid|msclkid|mc_cid|mc_eid|_hsenc|_hsmi)(?:=|$)/i;

/**
 * A web address with scheme and lower-case ASCII host; `https` when none is given. No user name, fragment or
 * campaign parameters. Null for a domain that stands for none.
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
 * The registrable domain, in ASCII, of a URL, a bare host name or an e-mail address. Null for mail providers,
 * pages and hosts at portals, domains that stand for none, IP addresses, and names that no public suffix ends.
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

/** The registrable domain of a list entry in an org's config, so that `www.Acme.com` works as well as `acme.com`. */
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

/** Of several schemes, as in `https://http://acme.com`, the last one counts. */
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

/** Some cells hold several addresses or a remark: the first that can be read, the reading then being incomplete. */
function firstOf(text: string, read: (part: string) => string | null): Reading<string> | null {
  const parts = text.split(/[\s,;|]+/).filter((part) => part !== "");
  for (const part of parts) {
    const value = read(part);
    if (value !== null) return { value, complete: parts.length === 1 };
  }
  return null;
}
