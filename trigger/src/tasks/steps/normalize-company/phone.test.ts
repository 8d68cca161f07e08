import { describe, expect, it } from "vitest";

import { parsePhone } from "./phone";

const complete: [text: string, country: string | null, number: string, extension: string | null][] = [
  ["030 1234567", "DE", "+49301234567", null],
  ["+49 (0)30 1234567", null, "+49301234567", null],
  ["0049 30 1234567", "DE", "+49301234567", null],
  ["0049 30 1234567", null, "+49301234567", null],
  ["493012345678", "DE", "+493012345678", null],
  ["(212) 555-0100", "US", "+12125550100", null],
  ["001 212 555 0100", "DE", "+12125550100", null],
  ["020 7946 0958", "GB", "+442079460958", null],
  ["٠٣٠١٢٣٤٥٦٧", "DE", "+49301234567", null],
  ["＋３４ ９３７ ０８ ５０ ００", null, "+34937085000", null],
  ["030 1234567 ext. 12", "DE", "+49301234567", "12"],
  ["tel:+1-201-555-0123;ext=55", null, "+12015550123", "55"],
  ["Tel.: 030 1234567", "DE", "+49301234567", null],
  ["Tel. +852 2747 1888", null, "+85227471888", null],
  ["'+442072229020", null, "+442072229020", null],
  ["0081 72 223 3210", "JP", "+81722233210", null],
  ["001 206 447 1575", "US", "+12064471575", null],
  ["030 / 1234567", "DE", "+49301234567", null],
  ["030/123/4567", "DE", "+49301234567", null],
  ["+49 (0)6131 / 12 34 56", null, "+496131123456", null],
  ["0049 / 711 / 123456", "DE", "+49711123456", null],
  ["+43 1 / 58858", "AT", "+43158858", null],
  ["0664 / 1234567", "AT", "+436641234567", null],
  ["040 / 12 34 56 - 0", "DE", "+49401234560", null],
  ["02/543.45.67", "BE", "+3225434567", null],
  ["030 1234567; 12", "DE", "+49301234567", "12"],
  ["+1 212 555 0100,,123", null, "+12125550100", "123"],
];

const incomplete: [text: string, country: string | null, number: string][] = [
  ["030 1234567 (Herr Meier)", "DE", "+49301234567"],
  ["030 123456 / 040 234567", "DE", "+4930123456"],
  ["+1 212 555 0100 or +1 212 555 0101", null, "+12125550100"],
  ["0711 123456 / 123457", "DE", "+49711123456"],
  ["0711 / 123456 / 123457", "DE", "+49711123456"],
  ["0711 123456/123457", "DE", "+49711123456"],
  ["030 1234567 / 68", "DE", "+49301234567"],
  ["+49 (0)30 1234567/68", null, "+49301234567"],
  ["089 12345 / 12346", "DE", "+498912345"],
  ["+43 1 58858 / 10", "AT", "+43158858"],
  ["+39 06 1234567 / 8", null, "+39061234567"],
  ["+41 44 123 45 67 / 68", null, "+41441234567"],
  ["0711 123456, 123457", "DE", "+49711123456"],
  ["0711 123456; 123457", "DE", "+49711123456"],
];

const unreadable: [string, string | null][] = [
  ["030 1234567", null],
  ["030 1234567", "XX"],
  ["555-0100", "US"],
  ["0123", "DE"],
  ["0", null],
  ["call reception", "US"],
  ["Fax: 030 1234567", "DE"],
  ["4.93012E+11", "DE"],
  ["1".repeat(999), "DE"],
  ["0711 123456 - 123457", "DE"],
  ["0711 123456 789012345", "DE"],
];

describe("a phone number", () => {
  it.each(complete)("%s in %s is %s", (text, country, number, extension) => {
    expect(parsePhone(text, country)).toEqual({ value: { number, extension }, complete: true });
  });

  it.each(incomplete)("is found in %s (%s), whose other text has to be kept", (text, country, number) => {
    expect(parsePhone(text, country)).toEqual({ value: { number, extension: null }, complete: false });
  });

  it.each(unreadable)("is not read from %s in %s", (text, country) => {
    expect(parsePhone(text, country)).toBeNull();
  });

  it("takes no longer for a text with many separators", () => {
    const started = performance.now();
    for (const text of ["1/", "1 / ", "030 1;", "+49 30 1, ", "/"].map((part) => part.repeat(990 / part.length)))
      parsePhone(text, "DE");
    expect(performance.now() - started).toBeLessThan(500);
  });
});
