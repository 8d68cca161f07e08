import { disposableEmailBlocklistSet } from "disposable-email-domains-js";

let domains: ReadonlySet<string> | undefined;

/** Domains of mailboxes that anybody has for ten minutes, as disposable-email-domains/disposable-email-domains lists them. */
export function isDisposable(domain: string): boolean {
  domains ??= disposableEmailBlocklistSet();
  return domains.has(domain);
}
