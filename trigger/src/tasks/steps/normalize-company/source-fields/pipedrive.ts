import type { SourceSystem } from "./source-system";

/**
 * The list view's export puts the object before each label; the label follows the user's language. Translated labels were
 * not compared with exports.
 */
// prettier-ignore
export const pipedrive: SourceSystem = {
  fields: {
    name: [
      "organization - name", "person - organization", "deal - organization", "organisation - name", "organisation - nom",
      "organización - nombre", "organizzazione - nome", "organização - nome", "organisatie - naam", "organizacja - nazwa",
      "組織 - 名前", "org name",
    ],
    domain: ["organization - domain"],
    website: [
      "organization - website", "organisation - website", "organisation - webseite", "organisation - site web",
      "organización - sitio web", "organizzazione - sito web", "organização - website", "organisatie - website",
      "organizacja - strona internetowa",
    ],
    email: [
      "organization - email", "person - email - work", "person - email", "person - email - other", "person - email - home",
      "person - e-mail - arbeit",
    ],
    phone: [
      "organization - phone", "organisation - telefon", "person - phone - work", "person - phone",
      "person - telefon - arbeit",
    ],
    country: [
      "organization - country of address", "country of address", "organisation - land von adresse",
      "organisation - land der adresse", "organisation - pays de adresse", "organisation - pays de l'adresse",
      "organización - país de dirección", "organizzazione - paese di indirizzo", "organização - país de endereço",
      "organisatie - land van adres", "organizacja - kraj adresu",
    ],
    city: [
      "organization - city/town/village/locality of address", "city/town/village/locality of address",
      "organization - city of address", "organisation - stadt von adresse", "organisation - ville de l'adresse",
    ],
    employees: [
      "organization - number of employees", "organization - employee count", "organisation - anzahl der mitarbeiter",
    ],
    industry: ["organization - industry", "organisation - branche"],
  },
  fallbacks: { phone: ["person - phone - mobile", "person - phone - other", "person - phone - home"] },
  examples: [
    {
      header: [
        "Organization - ID", "Organization - Name", "Organization - Labels", "Organization - Address",
        "Organization - Country of Address", "Organization - City/town/village/locality of Address",
        "Organization - Website", "Organization - LinkedIn profile", "Organization - Industry",
        "Organization - Annual revenue", "Organization - Number of employees",
      ],
      becomes: {
        "Organization - Name": "name", "Organization - Country of Address": "country",
        "Organization - City/town/village/locality of Address": "city", "Organization - Website": "website",
        "Organization - Industry": "industry", "Organization - Number of employees": "employees",
      },
    },
    {
      header: ["Person - Name", "Person - Organization", "Person - Email - Work", "Person - Phone - Mobile"],
      becomes: {
        "Person - Organization": "name", "Person - Email - Work": "email", "Person - Phone - Mobile": "phone",
      },
    },
  ],
};
