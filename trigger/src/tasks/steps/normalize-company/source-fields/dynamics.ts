import type { SourceSystem } from "./source-system";

/**
 * "Export to Excel" writes display names; dataflows and the API write the logical names of account, contact and lead. The
 * translated labels were not compared with exports in those languages.
 */
// prettier-ignore
export const dynamics: SourceSystem = {
  fields: {
    name: [
      "account name", "company name", "companyname", "firmenname", "name des kontos", "nom du compte",
      "nombre de cuenta", "nome account", "nome da conta", "accountnaam", "nazwa konta", "取引先企業名",
    ],
    website: ["website", "websiteurl", "website url"],
    email: ["email", "emailaddress1", "email address 1", "email primary contact"],
    phone: [
      "main phone", "telephone1", "business phone", "address 1: phone", "address1 telephone1", "haupttelefon",
      "téléphone principal", "teléfono principal", "telefono principale", "telefone principal", "hoofdtelefoon",
      "telefon główny", "代表電話",
    ],
    country: [
      "address 1: country/region", "address1_country", "address 1 country", "adresse 1: land/region",
      "adresse 1 : pays/région", "dirección 1: país o región", "indirizzo 1: paese", "indirizzo 1: paese/area geografica",
      "endereço 1: país/região", "adres 1: land/regio", "adres 1: kraj/region", "住所 1: 国/地域", "住所 1: 国または地域",
    ],
    city: [
      "address 1: city", "address1_city", "adresse 1: ort", "adresse 1: stadt", "adresse 1 : ville", "dirección 1: ciudad",
      "indirizzo 1: città", "endereço 1: cidade", "adres 1: plaats", "adres 1: miasto", "adres 1: miejscowość",
      "住所 1: 市区町村",
    ],
    employees: ["number of employees", "numberofemployees", "no. of employees"],
    industry: ["industry", "industrycode", "industry code"],
  },
  fallbacks: { phone: ["mobilephone"], email: ["emailaddress2"] },
  examples: [
    {
      header: [
        "(Do Not Modify) Account", "(Do Not Modify) Row Checksum", "(Do Not Modify) Modified On", "Account Name",
        "Main Phone", "Address 1: City", "Address 1: Country/Region", "Website", "Primary Contact",
        "Email (Primary Contact)", "Number of Employees", "Industry",
      ],
      becomes: {
        "Account Name": "name", "Main Phone": "phone", "Address 1: City": "city", "Address 1: Country/Region": "country",
        Website: "website", "Email (Primary Contact)": "email", "Number of Employees": "employees", Industry: "industry",
      },
    },
    {
      header: [
        "accountid", "name", "websiteurl", "emailaddress1", "telephone1", "address1_city", "address1_country",
        "numberofemployees", "industrycode",
      ],
      becomes: {
        name: "name", websiteurl: "website", emailaddress1: "email", telephone1: "phone", address1_city: "city",
        address1_country: "country", numberofemployees: "employees", industrycode: "industry",
      },
    },
    {
      header: ["Full Name", "Company Name", "Job Title", "Email", "Business Phone", "Mobile Phone"],
      becomes: { "Company Name": "name", Email: "email", "Business Phone": "phone", "Mobile Phone": "phone" },
    },
  ],
};
