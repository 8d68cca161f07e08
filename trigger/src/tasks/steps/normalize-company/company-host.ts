import { parse as parseHostname } from "tldts";

import { isSharedByAgencies } from "./government-domains";
import { isHostAtPortal, isPortal } from "./portals";
import { isSiteHost, isSiteName } from "./site-hosts";

/** An org's own exceptions, as registrable domains. */
export interface DomainRules {
  freemail: ReadonlySet<string>;
  company: ReadonlySet<string>;
}

/** What a host name says about who is behind it. */
export interface Host {
  /** The registrable domain, or the site at a host of sites (`acme.wordpress.com`), or the agency at a government's. */
  domain: string;
  /** The domain before its public suffix; empty for a site, whose owner chose it. */
  label: string;
  /** What a path under the domain belongs to somebody else than the domain does. */
  isSharedByPages: boolean;
  /** Addresses at the domain are of many organisations. */
  isSharedByMail: boolean;
  /** A host at a portal: the company's, but no domain. */
  isAtPortal: boolean;
}

const ALONE = { isSharedByPages: false, isSharedByMail: false, isAtPortal: false };

/** A record has the same host in its domain, its website and its address; the answers for so many are kept. */
const MOST_KEPT = 1_000;
const kept = new Map<string, Host | null>();

/** Null for IP addresses and names that no public suffix ends. */
export function splitHost(host: string): Host | null {
  const before = kept.get(host);
  if (before !== undefined) return before;
  const split = readHost(host);
  if (kept.size >= MOST_KEPT) kept.clear();
  kept.set(host, split);
  return split;
}

function readHost(host: string): Host | null {
  const hosted = parseHostname(host, { allowPrivateDomains: true });
  if (hosted.isPrivate === true && hosted.domain !== null && isSiteName(hosted.domainWithoutSuffix ?? ""))
    return { ...ALONE, domain: hosted.domain, label: "" };
  const { domain, domainWithoutSuffix, isIcann, subdomain } = hosted.isPrivate === true ? parseHostname(host) : hosted;
  if (domain === null || isIcann !== true) return null;
  const label = domainWithoutSuffix ?? "";
  const names = (subdomain ?? "").split(".").filter((name) => name !== "");
  if (isSiteHost(domain, label)) {
    const site = names.at(-1) ?? "";
    if (isSiteName(site)) return { ...ALONE, domain: `${site}.${domain}`, label: "" };
    return { ...ALONE, domain, label, isSharedByPages: true };
  }
  if (isPortal(domain, label))
    return { ...ALONE, domain, label, isSharedByPages: true, isAtPortal: isHostAtPortal(names.join(".")) };
  if (isSharedByAgencies(domain, label)) {
    const agency = names.at(-1) ?? "";
    if (agency !== "" && !/^www\d?$/.test(agency)) return { ...ALONE, domain: `${agency}.${domain}`, label: "" };
    return { ...ALONE, domain, label, isSharedByPages: true, isSharedByMail: true };
  }
  return { ...ALONE, domain, label, isSharedByPages: hosted.isPrivate === true };
}
