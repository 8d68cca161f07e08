import type { ExportExample, SourceSystem } from "./source-system";

/**
 * Outlook writes its CSV headers in the language of the installation. The lines are those that Exchange's own import of
 * contacts knows (OutlookCsvLanguage).
 */
// prettier-ignore
const LANGUAGES: readonly { name: string; city: string; country: string; phone: readonly string[]; email: string; website: string; mobile: string; person: readonly string[] }[] = [
  {
    name: "Company", city: "Business City", country: "Business Country/Region", phone: ["Company Main Phone", "Business Phone"],
    email: "E-mail Address", website: "Web Page", mobile: "Mobile Phone", person: ["First Name", "Last Name"],
  },
  {
    name: "Firma", city: "Ort geschäftlich", country: "Land/Region geschäftlich", phone: ["Telefon Firma", "Telefon geschäftlich"],
    email: "E-Mail-Adresse", website: "Webseite", mobile: "Mobiltelefon", person: ["Vorname", "Nachname"],
  },
  {
    name: "Société", city: "Ville (bureau)", country: "Pays/Région (bureau)", phone: ["Téléphone société", "Téléphone (bureau)"],
    email: "Adresse de messagerie", website: "Page Web", mobile: "Tél. mobile", person: ["Prénom", "Nom"],
  },
  {
    name: "Organización", city: "Ciudad de trabajo", country: "País o región del trabajo",
    phone: ["Número de centralita de la organización", "Teléfono del trabajo"], email: "Dirección de correo electrónico",
    website: "Página web", mobile: "Teléfono móvil", person: ["Nombre", "Apellidos"],
  },
  {
    name: "Società", city: "Città (uff.)", country: "Paese (uff.)", phone: ["Telefono principale società", "Ufficio"],
    email: "Indirizzo posta elettronica", website: "Pagina Web", mobile: "Cellulare", person: ["Nome", "Cognome"],
  },
  {
    name: "Empresa", city: "Localidade da empresa", country: "País/Região da Empresa",
    phone: ["Telefone principal da empresa", "Telefone da empresa"], email: "Endereço do correio electrónico",
    website: "Página na Web", mobile: "Telemóvel", person: ["Primeiro nome", "Apelido"],
  },
  {
    name: "Empresa", city: "Cidade do endereço comercial", country: "País/Região da Empresa",
    phone: ["Telefone principal da empresa", "Telefone comercial"], email: "Endereço de email", website: "Página da Web",
    mobile: "Telefone celular", person: ["Primeiro nome", "Sobrenome"],
  },
  {
    name: "Bedrijf", city: "Werkadres, plaats", country: "Land/regio (werk)", phone: ["Hoofdtelefoon bedrijf", "Telefoon op werk"],
    email: "E-mailadres", website: "Webpagina", mobile: "Mobiele telefoon", person: ["Voornaam", "Achternaam"],
  },
  {
    name: "Firma", city: "Adres służbowy - miejscowość", country: "Adres służbowy - kraj/region",
    phone: ["Główny telefon do firmy", "Telefon służbowy"], email: "Adres e-mail", website: "Strona sieci Web",
    mobile: "Telefon komórkowy", person: ["Imię", "Nazwisko"],
  },
  {
    name: "会社名", city: "市町村 (会社)", country: "国 (会社)/地域", phone: ["会社代表電話", "会社電話"], email: "電子メール アドレス",
    website: "Web ページ", mobile: "携帯電話", person: ["名", "姓"],
  },
];

function exampleOf(language: (typeof LANGUAGES)[number]): ExportExample {
  const { person, name, city, country, phone, email, website, mobile } = language;
  const phones = Object.fromEntries([...phone, mobile].map((header) => [header, "phone" as const]));
  return {
    header: [...person, name, city, country, ...phone, mobile, email, website],
    becomes: {
      [name]: "name",
      [city]: "city",
      [country]: "country",
      ...phones,
      [email]: "email",
      [website]: "website",
    },
  };
}

export const outlookContacts: SourceSystem = {
  fields: {
    name: LANGUAGES.map(({ name }) => name),
    website: LANGUAGES.map(({ website }) => website),
    email: LANGUAGES.map(({ email }) => email),
    phone: [...LANGUAGES.map(({ phone }) => phone[0] ?? ""), ...LANGUAGES.map(({ phone }) => phone[1] ?? "")],
    country: [...LANGUAGES.map(({ country }) => country), "Business Country", "Land geschäftlich"],
    city: LANGUAGES.map(({ city }) => city),
  },
  fallbacks: {
    email: ["E-mail 2 Address", "E-Mail 2: Adresse"],
    phone: LANGUAGES.map(({ mobile }) => mobile),
    country: ["Home Country/Region", "Home Country", "Land/Region privat"],
    city: ["Home City", "Ort privat"],
  },
  examples: LANGUAGES.map(exampleOf),
};
