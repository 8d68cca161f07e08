import type { SourceSystem } from "./source-system";

/**
 * HubSpot writes the labels of its properties, in the language of the user who exports; the API's names stand in exports
 * of other tools. English and Spanish labels come from public export lines; the others were not compared with exports.
 */
// prettier-ignore
export const hubspot: SourceSystem = {
  fields: {
    name: [
      "company name", "unternehmensname", "nom de l'entreprise", "nombre de la empresa", "nome dell'azienda",
      "nome da empresa", "bedrijfsnaam", "nazwa firmy", "会社名", "associated company", "associated company name",
    ],
    domain: [
      "company domain name", "unternehmensdomain", "unternehmensdomain name", "domain name des unternehmens",
      "nom de domaine de l'entreprise", "nombre de dominio de la empresa", "nome dominio dell'azienda",
      "nome di dominio dell'azienda", "nome do domínio da empresa", "domeinnaam van bedrijf", "domeinnaam bedrijf",
      "nazwa domeny firmy", "会社ドメイン名", "会社のドメイン名", "hs email domain",
    ],
    website: [
      "website url", "url der website", "url du site web", "url del sitio web", "url del sito web", "url do site",
      "url van website", "adres url witryny", "adres url strony internetowej", "ウェブサイトの url", "ウェブサイト url",
    ],
    phone: [
      "phone number", "telefonnummer", "numéro de téléphone", "número de teléfono", "numero di telefono",
      "número de telefone", "telefoonnummer", "numer telefonu", "電話番号",
    ],
    country: [
      "country region", "land region", "pays région", "país región", "paese area geografica", "paese regione",
      "país região", "land regio", "kraj region", "国 地域", "hs country region code",
    ],
    city: ["city", "stadt", "ville", "ciudad", "città", "cidade", "plaats", "miasto", "市区町村"],
    employees: [
      "number of employees", "numberofemployees", "anzahl der mitarbeiter", "nombre d'employés", "número de empleados",
      "numero di dipendenti", "número de funcionários", "aantal werknemers", "liczba pracowników", "従業員数",
    ],
    industry: ["industry", "branche", "secteur d'activité", "sector", "industria", "settore", "setor", "branża", "業種"],
  },
  examples: [
    {
      header: [
        "Record ID", "Company name", "Company owner", "Create Date", "Phone Number", "Last Activity Date", "City",
        "Country/Region", "Industry", "Company Domain Name", "Website URL", "Number of Employees",
      ],
      becomes: {
        "Company name": "name", "Phone Number": "phone", City: "city", "Country/Region": "country", Industry: "industry",
        "Company Domain Name": "domain", "Website URL": "website", "Number of Employees": "employees",
      },
    },
    {
      header: [
        "ID de registro", "Nombre de la empresa", "Nombre de dominio de la empresa", "Dominios adicionales", "Ciudad",
        "País/región", "Número de teléfono", "Sector",
      ],
      becomes: {
        "Nombre de la empresa": "name", "Nombre de dominio de la empresa": "domain", Ciudad: "city", "País/región": "country",
        "Número de teléfono": "phone", Sector: "industry",
      },
    },
    {
      header: ["Record ID", "First Name", "Last Name", "Email", "Phone Number", "Company Name", "Associated Company"],
      becomes: { Email: "email", "Phone Number": "phone", "Company Name": "name", "Associated Company": "name" },
    },
    { header: ["name", "domain", "phone", "numberofemployees", "country", "hs_object_id"], becomes: {
      name: "name", domain: "domain", phone: "phone", numberofemployees: "employees", country: "country",
    } },
  ],
};
