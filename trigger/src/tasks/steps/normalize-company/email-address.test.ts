import { describe, expect, it } from "vitest";

import { parseEmail } from "./email-address";
import type { DomainRules } from "./company-host";

const noRules: DomainRules = { freemail: new Set(), company: new Set() };

const whole: [text: string, address: string][] = [
  ["Info@Acme.COM", "info@acme.com"],
  ["mike.o'neal@oneal-roofing.com", "mike.o'neal@oneal-roofing.com"],
  ["mike.o^neal@oneal-roofing.com", "mike.o^neal@oneal-roofing.com"],
  ["jane+sales!x@acme.com", "jane+sales!x@acme.com"],
  ["o'brien@acme.com", "o'brien@acme.com"],
  ["mike@oneal.email", "mike@oneal.email"],
  ["test@acme.com", "test@acme.com"],
  ["jane@gmail.com", "jane@gmail.com"],
  ["mailto:info@acme.com", "info@acme.com"],
  ["MAILTO:mike.o%27neal@acme.com?subject=Hi", "mike.o'neal@acme.com"],
  ["<info@acme.com>", "info@acme.com"],
  ["'info@acme.com'", "info@acme.com"],
  ["(info@acme.com)", "info@acme.com"],
  ["mike@oneal-roofing.com;", "mike@oneal-roofing.com"],
  ["info@acme.com.", "info@acme.com"],
  ["info@müller.de", "info@xn--mller-kva.de"],
];

const first: [text: string, address: string][] = [
  ["Jane Doe <jane@acme.com>", "jane@acme.com"],
  ["\"O'Neal, Mike\" <mike.o'neal@acme.com>", "mike.o'neal@acme.com"],
  ['"Intel" <info@intel.com>', "info@intel.com"],
  ["Jane Doe (jane@acme.com)", "jane@acme.com"],
  ["jane@acme.com <mailto:jane@acme.com>", "jane@acme.com"],
  ["info@acme.com; sales@acme.com", "info@acme.com"],
  ["info@acme.com,sales@acme.com", "info@acme.com"],
  ["info@acme.com sales@acme.com", "info@acme.com"],
  ["info@acme.com/sales@acme.com", "info@acme.com"],
  ["info@acme.com ::: sales@acme.com", "info@acme.com"],
  ["info@acme.com oder sales@acme.com", "info@acme.com"],
  ["none@none.com, sales@acme.com", "sales@acme.com"],
  ["E-Mail: jane@acme.com", "jane@acme.com"],
  ["jane@acme.com (Empfang)", "jane@acme.com"],
  ["jane@acme.com - nur vormittags", "jane@acme.com"],
  ["Jane Doe, jane@acme.com", "jane@acme.com"],
];

const unreadable = [
  "mike.o neal@oneal-roofing.com",
  "mike.o,neal@oneal-roofing.com",
  "mike.o’neal@oneal-roofing.com",
  "mike.@oneal-roofing.com",
  '"mike o\'neal"@oneal-roofing.com',
  "<mike.o neal@acme.com>",
  "Jane Doe jane@acme.com",
  "jane@acme.co m",
  "jane@acme .com",
  "jane@acme,com",
  "jane@acme.co,uk",
  "jane@@acme.com",
  "jane@acme.com@acme.de",
  "info(at)acme.com",
  "info@localhost",
  "a..b@acme.com",
  "@acme.com",
  "jane@1.2.3.4",
];

const placeholders = [
  "noemail@noemail.com",
  "none@none.com",
  "test@test.com",
  "a@a.com",
  "x@example.org",
  "no-email@acme.com",
  "sin.correo@acme.es",
  "pasdemail@orange.fr",
  "keinemail@keinemail.de",
  "naotem@naotem.com.br",
  "test@gmail.com",
  "mail@mail.com",
];

describe("an e-mail address", () => {
  it.each(whole)("%s is all of the cell", (text, address) =>
    expect(parseEmail(text, noRules)).toEqual({ value: address, complete: true }),
  );
  it.each(first)("is found in %s, whose rest has to be kept", (text, address) =>
    expect(parseEmail(text, noRules)).toEqual({ value: address, complete: false }),
  );
  it.each(unreadable)("is not made of a part of %s", (text) => expect(parseEmail(text, noRules)).toBeNull());
  it.each(placeholders)("is not what stands for none: %s", (text) => expect(parseEmail(text, noRules)).toBeNull());

  it("may be at a domain that an org names as a company's", () => {
    const rules = { ...noRules, company: new Set(["test.com"]) };
    expect(parseEmail("jane@test.com", rules)?.value).toBe("jane@test.com");
  });

  it("takes no longer for a text made to slow patterns down", () => {
    const started = performance.now();
    const parts = [
      "a@",
      "a@b.de ",
      "<a@",
      "(a@b.de) ",
      "a@b.de - ",
      "a ",
      "mailto:",
      "@",
      `"`,
      "a@b.de,",
      "a/b&c@d.de ",
    ];
    for (const part of parts) parseEmail(part.repeat(1_000 / part.length), noRules);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
