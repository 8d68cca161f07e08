import type { SourceSystem } from "./source-system";

/**
 * Reports have the labels of the user's language; Data Loader and the data export have the API names of Account, Contact
 * and Lead. English, Japanese and API names come from public export lines; the others were not compared with exports.
 */
// prettier-ignore
export const salesforce: SourceSystem = {
  fields: {
    name: [
      "account name", "account.name", "company account", "accountname", "name des accounts", "nom du compte",
      "nombre de la cuenta", "nome account", "nome da conta", "accountnaam", "nazwa konta", "取引先名", "取引先",
    ],
    website: ["website", "site web", "sitio web", "sito web", "site da web", "witryna internetowa", "web サイト"],
    phone: ["phone", "account phone", "telefon", "téléphone", "teléfono", "telefono", "telefone", "telefoon", "電話"],
    country: [
      "billing country", "billing country code", "billing country text only", "account billing country",
      "land für rechnung", "rechnungsland", "rechnungsanschrift land", "pays de facturation", "país de facturación",
      "paese di fatturazione", "paese fatturazione", "país de cobrança", "factureringsland", "land facturering",
      "kraj rozliczeniowy", "kraj do faktury", "請求先国", "請求先 国",
    ],
    city: [
      "billing city", "account billing city", "ort für rechnung", "rechnungsort", "rechnungsanschrift ort",
      "ville de facturation", "ciudad de facturación", "città di fatturazione", "città fatturazione", "cidade de cobrança",
      "factureringsplaats", "plaats facturering", "miasto rozliczeniowe", "miasto do faktury", "請求先市区郡", "請求先 市区郡",
    ],
    employees: [
      "employees", "number of employees", "mitarbeiter", "employés", "effectif", "empleados", "dipendenti", "funcionários",
      "werknemers", "pracownicy", "従業員数",
    ],
    industry: ["industry", "branche", "secteur d'activité", "sector", "settore", "setor", "bedrijfstak", "branża", "業種"],
  },
  fallbacks: {
    country: ["shipping country", "shipping country code", "mailing country", "mailing country code"],
    city: ["shipping city", "mailing city"],
  },
  examples: [
    {
      header: [
        "Account Name", "Website", "Phone", "Billing Street", "Billing City", "Billing State/Province",
        "Billing Zip/Postal Code", "Billing Country", "Account Owner", "Territory", "Type",
      ],
      becomes: {
        "Account Name": "name", Website: "website", Phone: "phone", "Billing City": "city", "Billing Country": "country",
      },
    },
    {
      header: [
        "Id", "IsDeleted", "MasterRecordId", "Name", "Type", "ParentId", "BillingStreet", "BillingCity", "BillingState",
        "BillingPostalCode", "BillingCountry", "ShippingCity", "ShippingCountry", "Phone", "Fax", "Website", "PhotoUrl",
        "Industry", "AnnualRevenue", "NumberOfEmployees", "Description", "OwnerId", "CreatedDate",
      ],
      becomes: {
        Name: "name", BillingCity: "city", BillingCountry: "country", ShippingCity: "city", ShippingCountry: "country",
        Phone: "phone", Website: "website", Industry: "industry", NumberOfEmployees: "employees",
      },
    },
    {
      header: ["First Name", "Last Name", "Title", "Account Name", "Mailing City", "Mailing Country", "Phone", "Email"],
      becomes: {
        "Account Name": "name", "Mailing City": "city", "Mailing Country": "country", Phone: "phone", Email: "email",
      },
    },
    {
      header: ["取引先名", "電話", "Web サイト", "業種", "請求先市区郡", "請求先国", "従業員数"],
      becomes: {
        取引先名: "name", 電話: "phone", "Web サイト": "website", 業種: "industry", 請求先市区郡: "city", 請求先国: "country",
        従業員数: "employees",
      },
    },
  ],
};
