import type { SourceSystem } from "./source-system";

/**
 * SuiteCRM and SugarCRM export field names or labels, as set up. Labels: SuiteCRM, modules/Accounts, Contacts and
 * Leads, language/en_us.lang.php. Labels in other languages were not compared with its language packs.
 */
// prettier-ignore
export const suitecrm: SourceSystem = {
  fields: {
    name: [
      "account_name", "account name", "firmenname", "firma", "nom du compte", "nom de compte", "nombre de cuenta",
      "nome azienda", "nome da conta", "accountnaam", "nazwa klienta", "取引先名", "name",
    ],
    website: ["website", "webseite", "site web", "sitio web"],
    email: ["email1", "email_address", "email address", "any email"],
    phone: [
      "phone_office", "office phone", "phone", "telefon büro", "téléphone bureau", "téléphone professionnel",
      "teléfono oficina", "telefono ufficio", "telefone escritório", "telefoon kantoor", "telefon biuro", "会社電話",
      "phone_work",
    ],
    country: [
      "billing_address_country", "billing country", "billing address country", "land rechnungsadresse", "rechnungsland",
      "pays de facturation", "país de facturación", "paese di fatturazione", "país de cobrança", "factuurland",
      "kraj rozliczeniowy", "請求先国", "primary_address_country", "primary address country",
    ],
    city: [
      "billing_address_city", "billing city", "billing address city", "ort rechnungsadresse", "rechnungsort",
      "ville de facturation", "ciudad de facturación", "città di fatturazione", "cidade de cobrança", "factuurplaats",
      "miasto rozliczeniowe", "請求先市区町村", "primary_address_city", "primary address city",
    ],
    employees: ["employees", "mitarbeiter"],
    industry: ["industry", "branche"],
  },
  fallbacks: {
    phone: ["phone_alternate", "phone_mobile"],
    country: ["shipping_address_country"],
    city: ["shipping_address_city"],
  },
  examples: [
    {
      header: [
        "Name", "ID", "Website", "Office Phone", "Email Address", "Billing Street", "Billing City", "Billing Country",
        "Industry", "Employees", "Assigned to",
      ],
      becomes: {
        Name: "name", Website: "website", "Office Phone": "phone", "Email Address": "email", "Billing City": "city",
        "Billing Country": "country", Industry: "industry", Employees: "employees",
      },
    },
    {
      header: [
        "name", "id", "phone_office", "website", "email1", "billing_address_city", "billing_address_country",
        "employees", "industry",
      ],
      becomes: {
        name: "name", phone_office: "phone", website: "website", email1: "email", billing_address_city: "city",
        billing_address_country: "country", employees: "employees", industry: "industry",
      },
    },
  ],
};
