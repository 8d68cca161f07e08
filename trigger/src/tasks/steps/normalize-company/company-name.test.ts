import { describe, expect, it } from "vitest";

import { parseCompanyName, type CompanyNameOptions } from "./company-name";
import { KNOWN_SPELLINGS, spellingTable } from "./known-spellings";

const spellings = spellingTable(KNOWN_SPELLINGS);

function name(text: string, country: string | null = null, options: Partial<CompanyNameOptions> = {}): string | null {
  return parseCompanyName(text, { country, fixCase: "any", normalizeLegalForm: true, spellings, ...options });
}

const inTitleCase: [string, string][] = [
  ["DEUTSCHE BAHN", "Deutsche Bahn"],
  ["acme rockets", "Acme Rockets"],
  ["COCA-COLA", "Coca-Cola"],
  ["O'REILLY MEDIA", "O'Reilly Media"],
  ["MCDONALD'S", "McDonald's"],
  ["UNIVERSITY OF OXFORD", "University of Oxford"],
  ["VON DER LEYEN CONSULTING", "Von der Leyen Consulting"],
  ["LE MONDE", "Le Monde"],
  ["DR. ING. H.C. F. PORSCHE", "Dr. Ing. H.C. F. Porsche"],
  ["RENT A CAR", "Rent a Car"],
  ["STAR WARS EPISODE IV", "Star Wars Episode IV"],
  ["BOOKING.COM", "Booking.com"],
  ["J.P. MORGAN", "J.P. Morgan"],
  ["7-ELEVEN", "7-Eleven"],
  ["24SEVEN", "24seven"],
  ["2nd street", "2nd Street"],
  ["müller & söhne", "Müller & Söhne"],
  ["İSTANBUL HOLDİNG", "İstanbul Holding"],
];

const inTheirOwnSpelling: [string, string][] = [
  ["IBM", "IBM"],
  ["ibm", "IBM"],
  ["SAP", "SAP"],
  ["BMW", "BMW"],
  ["bmw", "BMW"],
  ["HSBC HOLDINGS", "HSBC Holdings"],
  ["AGCO CORP", "AGCO Corp."],
  ["HEICO", "HEICO"],
  ["THYSSENKRUPP AG", "thyssenkrupp AG"],
  ["XYZ", "XYZ"],
  ["EBAY", "eBay"],
  ["kfw", "KfW"],
  ["PWC", "PwC"],
  ["L'OREAL", "L'Oréal"],
  ["AT&T", "AT&T"],
  ["at&t", "AT&T"],
  ["H&M HENNES & MAURITZ", "H&M Hennes & Mauritz"],
  ["3m", "3M"],
  ["h2o water", "H2O Water"],
  ["DC COMICS", "DC Comics"],
];

const leftAsWritten = [
  "iRobot",
  "Acme",
  "deepset AI",
  "McKinsey & Company",
  "株式会社トヨタ",
  "ПАО ГАЗПРОМ",
  "ΟΤΕ",
  "1&1",
  "Ebay",
];

const legalForms: [text: string, country: string | null, expected: string][] = [
  ["Acme gmbh", null, "Acme GmbH"],
  ["Acme G.m.b.H.", null, "Acme GmbH"],
  ["Acme gmbh & co kg", null, "Acme GmbH & Co. KG"],
  ["Acme GmbH und Co. KG", null, "Acme GmbH & Co. KG"],
  ["Acme GmbH & Co.", null, "Acme GmbH & Co."],
  ["Acme UG & Co. KG", null, "Acme UG & Co. KG"],
  ["PT. ASTRA INTERNATIONAL TBK", null, "PT. Astra International Tbk"],
  ["pt bank central asia", "ID", "PT Bank Central Asia"],
  ["PT REYES FARMS", "US", "Pt Reyes Farms"],
  ["UAB LIETUVOS ENERGIJA", null, "UAB Lietuvos Energija"],
  ["S.C. DACIA S.A.", "RO", "S.C. Dacia S.A."],
  ["sarl martin", "FR", "SARL Martin"],
  ["EARL OF SANDWICH", "US", "Earl of Sandwich"],
  ["OÜ Tallink", "EE", "OÜ Tallink"],
  ["MÜLLER GMBH&CO.KG", null, "Müller GmbH & Co. KG"],
  ["Acme inc", null, "Acme Inc."],
  ["Acme, Inc.", null, "Acme Inc."],
  ["Acme,Inc", null, "Acme Inc."],
  ["Acme Incorporated", null, "Acme Inc."],
  ["Acme Corporation", null, "Acme Corp."],
  ["Acme Limited", null, "Acme Ltd."],
  ["ACME P.L.C.", null, "Acme PLC"],
  ["acme l.l.c.", null, "Acme LLC"],
  ["Acme Co.,Ltd.", null, "Acme Co., Ltd."],
  ["Tiffany & Co", null, "Tiffany & Co."],
  ["Acme (Pty) Ltd", "ZA", "Acme (Pty) Ltd"],
  ["Acme (Pty) Ltd", "AU", "Acme Pty Ltd"],
  ["foo private limited", "IN", "Foo Pvt. Ltd."],
  ["foo private limited", "SG", "Foo Pte. Ltd."],
  ["FERRARI S.P.A.", null, "Ferrari S.p.A."],
  ["BARILLA SPA", "IT", "Barilla S.p.A."],
  ["Falabella SpA", "CL", "Falabella SpA"],
  ["Serenity Spa", null, "Serenity Spa"],
  ["Acme S.A.", null, "Acme S.A."],
  ["Acme SA", "FR", "Acme SA"],
  ["CEMEX SA DE CV", "MX", "Cemex S.A. de C.V."],
  ["BOOKING.COM B.V.", "NL", "Booking.com B.V."],
  ["Acme as", "NO", "Acme AS"],
  ["Acme as", "CZ", "Acme a.s."],
  ["ČEZ, a. s.", "CZ", "ČEZ a.s."],
  ["NORSK HYDRO ASA", null, "Norsk Hydro ASA"],
  ["Bank of Cyprus Public Company Limited", "CY", "Bank of Cyprus PCL"],
  ["JCB (J C Bamford Excavators Ltd)", "GB", "JCB (J C Bamford Excavators Ltd)"],
  ["Acme A/S", "DK", "Acme A/S"],
  ["Acme A.Ş.", "TR", "Acme A.Ş."],
  ["Acme Ticaret LTD. ŞTİ.", "TR", "Acme Ticaret Ltd. Şti."],
  ["acme sp. z o.o.", "PL", "Acme Sp. z o.o."],
  ["SIEMENS AG", "DE", "Siemens AG"],
  ["MIDWEST AG", "US", "Midwest AG"],
  ["CASINO LAS VEGAS NV", "US", "Casino Las Vegas NV"],
  ["The Limited", null, "The Limited"],
  ["LIMITED", null, "Limited"],
];

const tidied: [string, string | null][] = [
  ["  Acme \t Rockets \n", "Acme Rockets"],
  ['"Acme"', "Acme"],
  ["Acme®™", "Acme"],
  ["Ａｃｍｅ　Ｒｏｃｋｅｔｓ", "Acme Rockets"],
  ["Acme\u200b \u202eRockets", "Acme Rockets"],
  ["Ko\u0308nig", "König"],
  ["Acme &amp;amp; Sons", "Acme & Sons"],
  ["Peter Kiewit Sons&#8217;", "Peter Kiewit Sons'"],
  ["O&#039;Neil &amp; Sons", "O'Neil & Sons"],
  ["Caf&eacute; Central", "Café Central"],
  ["Dun &#38; Partners", "Dun & Partners"],
  ["Stra&szlig;enbau Nord", "Straßenbau Nord"],
  ["O’Reilly", "O'Reilly"],
  ["Acme,", "Acme"],
  ["MÃ¼nchener RÃ¼ck", "Münchener Rück"],
  ["NestlÃ©", "Nestlé"],
  ["Ångström Ã la carte", "Ångström Ã la carte"],
  ["Studio ½", "Studio ½"],
  ["---", null],
  ["!?", null],
];

describe("a company name", () => {
  it.each(inTitleCase)("%s in one case becomes %s", (text, expected) => expect(name(text)).toBe(expected));
  it.each(inTheirOwnSpelling)("%s is spelled %s", (text, expected) => expect(name(text)).toBe(expected));
  it.each(leftAsWritten)("%s stays as written", (text) => expect(name(text)).toBe(text));
  it.each(legalForms)("%s (%s) has its legal form written as in %s", (text, country, expected) =>
    expect(name(text, country)).toBe(expected),
  );
  it.each(tidied)("%j is tidied to %j", (text, expected) => expect(name(text)).toBe(expected));

  it("is the same after it is parsed again", () => {
    const texts = [...inTitleCase, ...inTheirOwnSpelling, ...tidied].map(([text]) => [text, null] as const);
    for (const [text, country] of [...texts, ...legalForms, ...leftAsWritten.map((own) => [own, null] as const)]) {
      const once = name(text, country);
      if (once !== null) expect(name(once, country)).toBe(once);
    }
  });

  it("keeps case and legal form when both rules are off", () => {
    expect(name("ACME gmbh", null, { fixCase: null, normalizeLegalForm: false })).toBe("ACME gmbh");
  });

  it("follows an org's own spellings before the built-in ones", () => {
    expect(name("NASA CORP", null, { spellings: spellingTable(KNOWN_SPELLINGS, ["Nasa"]) })).toBe("Nasa Corp.");
  });
});

const byColumn: [text: string, expected: string, country?: string][] = [
  ["AGCO", "AGCO"],
  ["DEUTSCHE BAHN AG", "DEUTSCHE BAHN AG"],
  ["thyssenkrupp AG", "thyssenkrupp AG"],
  ["logi.cals GmbH", "logi.cals GmbH"],
  ["PT. Astra", "PT. Astra"],
  ["UAB Lidl", "UAB Lidl"],
  ["acme gmbh", "acme GmbH"],
];

const inCapitals: [text: string, country: string | null, expected: string][] = [
  ["MÜLLER GmbH", "DE", "Müller GmbH"],
  ["müller gmbh", "DE", "müller GmbH"],
  ["Müller GMBH", "DE", "Müller GmbH"],
  ["IŞIK TEKSTİL A.Ş.", "TR", "Işık Tekstil A.Ş."],
  ["YILDIZ HOLDING A.Ş.", "TR", "Yıldız Holding A.Ş."],
  ["AZƏRBAYCAN SƏNAYE BANKI", "AZ", "Azərbaycan Sənaye Bankı"],
  ["YILDIZ HOLDING", "DE", "Yildiz Holding"],
];

describe("a name whose column says how it writes", () => {
  it.each(byColumn)("%s stays in a column in both cases: %s", (text, expected) =>
    expect(name(text, null, { fixCase: null })).toBe(expected),
  );
  it.each(inCapitals)("%s (%s) in a column in capitals is %s", (text, country, expected) =>
    expect(name(text, country, { fixCase: "capitals" })).toBe(expected),
  );
  it("gets the dotted capital in Turkish", () => {
    expect(name("istanbul ışık", "TR", { fixCase: "lower_case" })).toBe("İstanbul Işık");
    expect(name("istanbul ışık", "DE", { fixCase: "lower_case" })).toBe("Istanbul Işık");
  });
});

describe("the table of known spellings", () => {
  it("contains each word once", () => {
    expect(spellings.size).toBe(KNOWN_SPELLINGS.length);
  });
});
