import { describe, expect, it } from "vitest";

import type { ColumnProfile } from "../step";
import { HeaderPlanner } from "./header-plan";
import { headerKey } from "./header-variants";
import { KNOWN_HEADERS, SYSTEMS } from "./source-fields";
import { CANONICAL_FIELDS } from "./source-fields/source-system";

const planner = new HeaderPlanner({}, []);

function fieldsOf(headers: readonly string[], columns: readonly ColumnProfile[] = []): Record<string, string> {
  const { sources: plan } = (columns.length === 0 ? planner : new HeaderPlanner({}, columns)).plan(headers);
  return Object.fromEntries([...plan].flatMap(([field, sources]) => sources.map((source) => [source, field])));
}

function column(name: string, filled: number): ColumnProfile {
  return { name, filled, capitals: 0, lower_case: 0, numeric: 0 };
}

describe.each(Object.entries(SYSTEMS))("an export of %s", (_, { fields, fallbacks = {}, examples }) => {
  it.each(examples.map(({ header, becomes }) => [header.slice(0, 3).join(", "), header, becomes] as const))(
    "that begins with %s has its columns found",
    (_, header, becomes) => {
      expect(fieldsOf(header)).toEqual(becomes);
    },
  );

  it("has each header read as the field it is listed for", () => {
    for (const field of CANONICAL_FIELDS) {
      for (const header of [...(fields[field] ?? []), ...(fallbacks[field] ?? [])])
        expect([header, fieldsOf([header])]).toEqual([header, { [header]: field }]);
    }
  });
});

describe("the known headers", () => {
  it("mean one field each", () => {
    const fields = new Map<string, Set<string>>();
    for (const field of CANONICAL_FIELDS) {
      for (const header of KNOWN_HEADERS[field]) {
        const key = headerKey(header);
        fields.set(key, (fields.get(key) ?? new Set()).add(field));
      }
    }
    expect([...fields].filter(([, found]) => found.size > 1)).toEqual([]);
  });

  it("put a company's own number before a mobile one, whichever system names them", () => {
    const { sources: plan } = new HeaderPlanner({}, []).plan(["Mobile Phone", "Company Main Phone", "Business Phone"]);
    expect(plan.get("phone")?.at(-1)).toBe("Mobile Phone");
  });
});

describe("a header", () => {
  it.each([
    ["num. of employees", "employees"],
    ["billingAddressCountry", "country"],
    ["BILLING_ADDRESS_COUNTRY", "country"],
    ["Billing Address: Country", "country"],
    ["Employees (FTE)", "employees"],
    ["Country [ISO]", "country"],
    ["Phone (work)", "phone"],
    ["*Company Name:", "name"],
    ["Ｃｏｍｐａｎｙ", "name"],
    ["Number_of_Employees__c", "employees"],
    ["Nº Empleados", "employees"],
    ["Anz. Mitarbeiter (ca.)", "employees"],
    ["# Employees", "employees"],
    ["Headquarters Country", "country"],
    ["Country/Territory", "country"],
    ["Work Address Country", "country"],
    ["Main Phone Number", "phone"],
    ["Telefon 1", "phone"],
    ["corporatePhone", "phone"],
    ["properties.name", "name"],
    ["Account: Account Name", "name"],
    ["Account: Billing Country", "country"],
    ["company.website", "website"],
  ])("%s is read as %s", (header, field) => expect(fieldsOf([header])).toEqual({ [header]: field }));

  it.each([
    "Phone (Fax)",
    "Name (Contact)",
    "Email (Opt Out)",
    "Annual Revenue",
    "Record ID",
    "Status",
    "Notes",
    "Account Site",
    "Parent Account: Account Name",
    "Account Owner",
    "Contact Name",
    "Company ID",
    "Person - Name",
    "Phone 3",
    "Primary Contact",
    "Company Type",
  ])("%s is no field", (header) => expect(fieldsOf([header])).toEqual({}));
});

describe("a person's name", () => {
  it.each([
    ["name", "company_name"],
    ["Name", "Organization"],
    ["Name", "Firma"],
    ["Nom", "Société"],
    ["Name*", "Company (required)"],
    ["Name", "Corporate Name"],
    ["name", "organization.name"],
  ])("in %s is not the company's, which %s names", (person, company) => {
    expect(fieldsOf([person, company])).toEqual({ [company]: "name" });
  });

  it.each([
    ["Name", "First Name"],
    ["Nom", "Prénom"],
    ["名前", "姓"],
  ])("in %s is not a company's when there is %s", (name, part) => expect(fieldsOf([name, part])).toEqual({}));

  it("is told by the columns of the file, where a record lacks some", () => {
    expect(fieldsOf(["name", "email"], [column("name", 9), column("company", 5)])).toEqual({ email: "email" });
  });

  it("is no person's where the columns that would say so are empty", () => {
    expect(
      fieldsOf(["Name", "FirstName", "LastName"], [column("Name", 9), column("FirstName", 0), column("LastName", 0)]),
    ).toEqual({ Name: "name" });
    expect(fieldsOf(["Name", "Company"], [column("Name", 9), column("Company", 0)])).toEqual({
      Name: "name",
      Company: "name",
    });
  });

  it("is taken where the config asks for it", () => {
    const { sources: plan } = new HeaderPlanner({ name: ["name", "company"] }, []).plan(["company", "name"]);
    expect(plan.get("name")).toEqual(["name", "company"]);
    expect(new HeaderPlanner({ phone: ["Phone"] }, []).plan(["Main Phone", "phone"]).sources.get("phone")).toEqual([
      "phone",
    ]);
  });
});
