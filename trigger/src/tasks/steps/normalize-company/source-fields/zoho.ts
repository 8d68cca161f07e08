import type { SourceSystem } from "./source-system";

/**
 * Labels of the modules Accounts, Contacts and Leads, and their API names. Translated labels were not compared with exports.
 */
// prettier-ignore
export const zoho: SourceSystem = {
  fields: {
    name: [
      "account name", "account_name", "company", "kontoname", "firmenname", "nom du compte", "nombre de cuenta",
      "nome account", "nome da conta", "accountnaam", "nazwa konta", "アカウント名", "取引先名",
    ],
    website: ["website", "webseite", "site web", "sitio web", "sito web", "witryna", "ウェブサイト"],
    email: ["email", "e-mail"],
    phone: ["phone", "telefon"],
    country: [
      "billing country", "rechnungsland", "pays de facturation", "país de facturación", "paese di fatturazione",
      "país de cobrança", "factuurland", "kraj rozliczeniowy", "請求先の国", "country",
    ],
    city: [
      "billing city", "rechnungsstadt", "ville de facturation", "ciudad de facturación", "città di fatturazione",
      "cidade de cobrança", "factuurplaats", "miasto rozliczeniowe", "請求先の市区町村", "city",
    ],
    employees: ["employees", "no. of employees", "no_of_employees", "mitarbeiter", "従業員数"],
    industry: ["industry", "branche", "業種"],
  },
  fallbacks: {
    email: ["secondary email"],
    phone: ["mobile"],
    country: ["shipping country", "mailing country"],
    city: ["shipping city", "mailing city"],
  },
  examples: [
    {
      header: [
        "Record Id", "Account Name", "Phone", "Account Type", "Billing Street", "Billing City", "Billing State",
        "Billing Code", "Billing Country", "Employees", "Industry", "Website", "Description",
      ],
      becomes: {
        "Account Name": "name", Phone: "phone", "Billing City": "city", "Billing Country": "country",
        Employees: "employees", Industry: "industry", Website: "website",
      },
    },
    {
      header: ["Lead Id", "Company", "First Name", "Last Name", "Email", "No. of Employees", "City", "Country"],
      becomes: {
        Company: "name", Email: "email", "No. of Employees": "employees", City: "city", Country: "country",
      },
    },
  ],
};
