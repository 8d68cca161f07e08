import type { SourceSystem } from "./source-system";

/**
 * CSV exports carry attribute names, spreadsheets the labels; a part of an address follows the address's label. Labels:
 * EspoCRM, application/Espo/Modules/Crm/Resources/i18n and application/Espo/Resources/i18n.
 */
// prettier-ignore
export const espocrm: SourceSystem = {
  fields: {
    name: [
      "accountName", "account name", "firma", "firmenname", "nom du compte", "nombre de la cuenta",
      "azienda", "name", "nom", "nombre", "nome", "naam",
    ],
    website: ["website", "webseite", "site internet", "sitio web", "sito web"],
    email: ["emailAddress", "email", "correo", "e-mail"],
    phone: [
      "phoneNumber", "phoneNumberOffice", "phone office", "telefon büro", "téléphone bureau", "teléfono oficina",
      "telefono ufficio", "telefone escritório", "telefoon office",
    ],
    country: [
      "billingAddressCountry", "billing address country", "rechnungsadresse land", "adresse de facturation pays",
      "dirección de facturación país", "indirizzo di fatturazione nazione", "endereço de cobrança país", "factuuradres land",
      "adres rozliczeniowy kraj", "請求先住所 国", "addressCountry",
    ],
    city: [
      "billingAddressCity", "billing address city", "rechnungsadresse ort", "adresse de facturation ville",
      "dirección de facturación ciudad", "indirizzo di fatturazione città", "endereço de cobrança cidade", "factuuradres plaats",
      "adres rozliczeniowy miasto", "請求先住所 市", "addressCity",
    ],
    industry: ["industry", "branche", "industrie", "industria", "settore", "ramo de atividade"],
  },
  fallbacks: {
    phone: ["phoneNumberMobile"],
    country: ["shippingAddressCountry", "shipping address country"],
    city: ["shippingAddressCity", "shipping address city"],
  },
  examples: [
    {
      header: [
        "name", "website", "emailAddress", "phoneNumber", "billingAddressCity", "billingAddressCountry", "industry",
      ],
      becomes: {
        name: "name", website: "website", emailAddress: "email", phoneNumber: "phone", billingAddressCity: "city",
        billingAddressCountry: "country", industry: "industry",
      },
    },
    {
      header: ["firstName", "lastName", "accountName", "emailAddress", "phoneNumberMobile", "addressCountry"],
      becomes: {
        accountName: "name", emailAddress: "email", phoneNumberMobile: "phone", addressCountry: "country",
      },
    },
    {
      header: ["Name", "Webseite", "E-Mail", "Telefon", "Rechnungsadresse Ort", "Rechnungsadresse Land", "Branche"],
      becomes: {
        Name: "name", Webseite: "website", "E-Mail": "email", Telefon: "phone", "Rechnungsadresse Ort": "city",
        "Rechnungsadresse Land": "country", Branche: "industry",
      },
    },
  ],
};
