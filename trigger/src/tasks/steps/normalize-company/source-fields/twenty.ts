import type { SourceSystem } from "./source-system";

/** Composite fields are written as "label / part". */
// prettier-ignore
export const twenty: SourceSystem = {
  fields: {
    name: ["company / name", "company", "name"],
    domain: ["domain name / link url", "domain name / link label", "domainName.primaryLinkUrl", "domain name"],
    website: ["website / link url"],
    email: ["emails / primary email", "email / primary email", "mail / primary email", "emails.primaryEmail"],
    phone: ["phones / primary phone number", "phone / primary phone number", "phones.primaryPhoneNumber"],
    country: ["address / country", "address / address country", "address.addressCountry"],
    city: ["address / city", "address / address city", "address.addressCity"],
    employees: ["employees"],
  },
  examples: [
    {
      header: [
        "Id", "Name", "Domain Name / Link URL", "Domain Name / Link Label", "Address / Address 1", "Address / City",
        "Address / State", "Address / Country", "Address / Post Code", "Annual Revenue / Amount", "Employees",
        "Linkedin / Link URL", "Creation date",
      ],
      becomes: {
        Name: "name", "Domain Name / Link URL": "domain", "Domain Name / Link Label": "domain", "Address / City": "city",
        "Address / Country": "country", Employees: "employees",
      },
    },
  ],
};
