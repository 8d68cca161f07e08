import { parse } from "tldts";
import { describe, expect, it } from "vitest";

import type { DomainRules } from "./company-host";
import { FREEMAIL_DOMAINS } from "./freemail-domains";
import { SHARED_BY_AGENCIES } from "./government-domains";
import { PLACEHOLDER_DOMAINS } from "./placeholders";
import { PORTALS } from "./portals";
import { SITE_HOSTS } from "./site-hosts";
import { parseCompanyDomain, parseWebsite } from "./web-address";

const noRules: DomainRules = { freemail: new Set(), company: new Set() };

const domains: [string, string][] = [
  ["acme.com", "acme.com"],
  ["WWW.Acme.COM/", "acme.com"],
  ["http://shop.acme.co.uk/about?x=1#y", "acme.co.uk"],
  ["acme.com:8080/x", "acme.com"],
  ["acme.com.", "acme.com"],
  ["http//acme.com", "acme.com"],
  ["https:/acme.com", "acme.com"],
  ["https://http://acme.com", "acme.com"],
  ["https://user:pw@acme.com", "acme.com"],
  ["info@shop.acme.de", "acme.de"],
  ["Jane <jane@acme.de>", "acme.de"],
  ["müller.de", "xn--mller-kva.de"],
  ["xn--mller-kva.de", "xn--mller-kva.de"],
  ["MÜNCHEN。de", "xn--mnchen-3ya.de"],
  ["acme.myshopify.com", "acme.myshopify.com"],
  ["www.acme.myshopify.com", "acme.myshopify.com"],
  ["live.myshopify.com", "live.myshopify.com"],
  ["baeckerei-eins.wordpress.com", "baeckerei-eins.wordpress.com"],
  ["https://www.baeckerei-eins.wordpress.com/kontakt", "baeckerei-eins.wordpress.com"],
  ["info@acme.jimdofree.com", "acme.jimdofree.com"],
  ["acme.business.site/?utm_source=gmb", "acme.business.site"],
  ["acme.webnode.co.uk", "acme.webnode.co.uk"],
  ["acme.blogspot.de", "acme.blogspot.de"],
  ["outlook.tumblr.com", "outlook.tumblr.com"],
  ["acme.etsy.com", "acme.etsy.com"],
  ["https://acme.wixsite.com/website", "acme.wixsite.com"],
  ["acme.onmicrosoft.com", "acme.onmicrosoft.com"],
  ["github.io", "github.io"],
  ["wordpress.com", "wordpress.com"],
  ["jane@squarespace.com", "squarespace.com"],
  ["linkedin.com", "linkedin.com"],
  ["acme.com, acme.de", "acme.com"],
  ["info@google.com", "google.com"],
  ["booking.com", "booking.com"],
  ["https://dhs.dc.gov/page/about", "dhs.dc.gov"],
  ["jane@dmv.ca.gov", "dmv.ca.gov"],
  ["dc.gov", "dc.gov"],
  ["https://www.bsi.bund.de", "bsi.bund.de"],
  ["dot.state.mn.us", "dot.state.mn.us"],
  ["https://www.irs.gov/refunds", "irs.gov"],
  ["mike.o neal@oneal-roofing.com", "oneal-roofing.com"],
  ["mike.@oneal-roofing.com", "oneal-roofing.com"],
  ["jane@acme.com und bob@acme.de", "acme.com"],
];

const noDomains = [
  "joe@gmail.com",
  "joe@yahoo.co.uk",
  "gmail.com",
  "linkedin.com/company/acme",
  "https://www.facebook.com/acme",
  "sites.google.com/view/acme",
  "wordpress.com/acme",
  "https://www.jimdo.com/acme",
  "www.etsy.com/shop/acme",
  "members.tripod.com/~acme",
  "joe@free.fr",
  "wixsite.com/acme",
  "https://www.wixsite.com/acme",
  "www.wix.com/acme/site",
  "github.io/acme",
  "localhost",
  "1.2.3.4",
  "http://[::1]/",
  "acme",
  "acme.notatld",
  "co.uk",
  "ftp://acme.com",
  "javascript:alert(1)",
  "http://",
  "a b",
  "acme..com",
  "@acme.com",
  "%%%",
  "\\\\",
  "http://acme com",
  "acme.en.alibaba.com",
  "https://acme.m.en.alibaba.com/",
  "https://acme.en.made-in-china.com/product/1",
  "https://www.booking.com/hotel/fr/acme.html",
  "https://angel.co/company/acme",
  "https://www.amazon.co.uk/stores/acme",
  "https://www.yelp.de/biz/acme",
  "https://mass.gov/orgs/department-of-revenue",
  "jane@dc.gov",
  "https://www.gov.uk/government/organisations/hm-treasury",
  "jane@mailinator.com",
  "noemail@noemail.com",
  "none@none.com",
  "test@test.com",
  "a@a.com",
  "b@a.com",
  "http://www.example.com",
  "info@beispiel.de",
  "notiene@notiene.com.mx",
  "jane@acme.co m",
  "jane@acme. com",
];

const websites: [string, string | null][] = [
  ["acme.com", "https://acme.com"],
  ["http://WWW.Acme.com/", "http://www.acme.com"],
  ["htp:/www.acme.com", "http://www.acme.com"],
  ["ttps://acme.com", "https://acme.com"],
  ["https://acme.com/de/?a=1#top", "https://acme.com/de/?a=1"],
  ["https://user:pw@acme.com", "https://acme.com"],
  ["https://acme.com/?utm_source=x&utm_medium=y", "https://acme.com"],
  ["https://acme.com/a?b=1&gclid=2&c=%20", "https://acme.com/a?b=1&c=%20"],
  ["acme.com:443", "https://acme.com"],
  ["straße.de", "https://xn--strae-oqa.de"],
  ["info@acme.com", null],
  ["http://localhost:3000", null],
  ["see brochure", null],
  ["www.example.com", null],
  ["http://none.com/", null],
];

describe("a company's domain", () => {
  it.each(domains)("of %s is %s", (text, expected) => expect(parseCompanyDomain(text, noRules)?.value).toBe(expected));
  it.each(noDomains)("is not read from %s", (text) => expect(parseCompanyDomain(text, noRules)).toBeNull());

  it("is incomplete when the cell holds more than one address", () => {
    expect(parseCompanyDomain("acme.com, acme.de", noRules)?.complete).toBe(false);
  });

  it("follows an org's own exceptions", () => {
    const rules = { freemail: new Set(["mailbox-example.com"]), company: new Set(["gmail.com", "linkedin.com"]) };
    expect(parseCompanyDomain("joe@gmail.com", rules)?.value).toBe("gmail.com");
    expect(parseCompanyDomain("linkedin.com/company/linkedin", rules)?.value).toBe("linkedin.com");
    expect(parseCompanyDomain("joe@mailbox-example.com", rules)).toBeNull();
    const builder = { freemail: new Set(["acme.weebly.com"]), company: new Set(["wordpress.com"]) };
    expect(parseCompanyDomain("wordpress.com/about", builder)?.value).toBe("wordpress.com");
    expect(parseCompanyDomain("acme.weebly.com", builder)).toBeNull();
  });

  it("takes no longer for a text that is made to slow patterns down", () => {
    const started = performance.now();
    for (const text of [
      "a@".repeat(500),
      "http:".repeat(200),
      `${"a.".repeat(499)}@`,
      "-".repeat(1_000),
      `x@${"a-".repeat(499)}`,
    ]) {
      parseCompanyDomain(text, noRules);
      parseWebsite(text, noRules);
    }
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe("a website", () => {
  it.each(websites)("%s becomes %s", (text, expected) => {
    const value = parseWebsite(text, noRules)?.value ?? null;
    expect(value).toBe(expected);
    if (value !== null) expect(parseWebsite(value, noRules)).toEqual({ value, complete: true });
  });
});

describe.each([
  ["mail providers", FREEMAIL_DOMAINS],
  ["website builders", SITE_HOSTS],
  ["portals", PORTALS],
  ["domains of governments", SHARED_BY_AGENCIES],
  ["domains that stand for none", PLACEHOLDER_DOMAINS],
])("the table of %s", (_, domains) => {
  it("contains only registrable domains, because nothing else is looked up", () => {
    expect([...domains].filter((domain) => parse(domain, { allowPrivateDomains: true }).domain !== domain)).toEqual([]);
  });
});
