import type { SourceSystem } from "./source-system";

/** Attributes of an attribute are written as "label > part"; a record's own name is "Record". */
// prettier-ignore
export const attio: SourceSystem = {
  fields: {
    name: ["company > name", "company > record", "parent record > company", "record", "name"],
    domain: ["domains", "company > domains"],
    email: ["email addresses", "parent record > email addresses"],
    phone: ["phone numbers", "parent record > phone numbers"],
    country: [
      "primary location > country", "primary location > country code", "parent record > primary location > country",
      "company > primary location > country", "hq location > country",
    ],
    city: [
      "primary location > locality", "primary location > city", "parent record > primary location > city",
      "company > primary location > locality",
    ],
    employees: ["employee range", "employee count", "estimated headcount"],
    industry: ["categories", "industry"],
  },
  examples: [
    {
      header: [
        "Record ID", "Record", "Domains", "Description", "Categories", "Primary location > Locality",
        "Primary location > Country", "Employee range", "Foundation date", "LinkedIn", "Last interaction > When",
      ],
      becomes: {
        Record: "name", Domains: "domain", Categories: "industry", "Primary location > Locality": "city",
        "Primary location > Country": "country", "Employee range": "employees",
      },
    },
    {
      header: ["Record ID", "Record", "Email addresses", "Company > Name", "Job title", "Primary location > Country"],
      becomes: {
        "Email addresses": "email", "Company > Name": "name", "Primary location > Country": "country",
      },
    },
  ],
};
