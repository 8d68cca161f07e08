import type { SourceSystem } from "./source-system";

/** Headers of hand-made sheets and of directories, in the languages that our users write. */
// prettier-ignore
export const everyday: SourceSystem = {
  fields: {
    name: [
      "company", "company name", "account name", "organization", "organization name", "organisation",
      "organisation name", "business name", "legal name", "trading name", "client name", "customer name",
      "supplier name", "vendor name", "employer",
      "firma", "firmenname", "name der firma", "unternehmen", "unternehmensname", "name des unternehmens", "betrieb",
      "société", "nom de la société", "nom société", "entreprise", "nom de l'entreprise", "nom entreprise",
      "raison sociale", "dénomination sociale", "organisme",
      "empresa", "nombre de la empresa", "nombre empresa", "razón social", "compañía", "organización", "denominación social",
      "azienda", "nome azienda", "denominazione azienda", "ragione sociale", "società", "ditta", "denominazione", "denominazione sociale",
      "nome da empresa", "nome empresa", "razão social", "nome fantasia", "organização",
      "bedrijf", "bedrijfsnaam", "naam bedrijf", "organisatie", "organisatienaam", "handelsnaam",
      "nazwa firmy", "przedsiębiorstwo", "nazwa przedsiębiorstwa", "organizacja", "nazwa organizacji", "kontrahent",
      "会社", "会社名", "企業名", "法人名", "社名", "組織名", "取引先名",
      "name", "nazwa", "名前", "名称",
    ],
    domain: [
      "domain", "company domain", "company domain name", "domain name", "website domain", "email domain", "domains",
      "domäne", "firmendomain", "domaine", "nom de domaine", "dominio", "nombre de dominio", "nome di dominio",
      "domínio", "domein", "domeinnaam", "domena", "ドメイン", "ドメイン名",
    ],
    website: [
      "website", "website url", "web site", "company website", "site", "url", "company url", "web", "homepage", "home page",
      "web page", "web address", "webseite", "internet", "internetseite", "internetadresse",
      "site web", "site internet", "adresse web", "sitio web", "página web", "sito web", "sito", "sito internet", "pagina web",
      "página da web", "website bedrijf", "webpagina", "strona www", "strona internetowa", "adres www", "www",
      "ウェブサイト", "webサイト", "ホームページ", "hp", "サイト url",
    ],
    email: [
      "email", "email address", "company email", "business email", "work email", "primary email", "contact email", "mail",
      "email 1", "email adresse", "mailadresse", "courriel", "adresse email", "adresse mail", "adresse électronique",
      "correo electrónico", "correo", "dirección de correo electrónico", "indirizzo email", "posta elettronica",
      "endereço de email", "emailadres", "adres email", "メール", "メールアドレス", "eメール",
    ],
    phone: [
      "phone", "phone number", "company phone", "main phone", "business phone", "office phone", "work phone",
      "primary phone", "contact phone", "phone 1", "telephone", "telephone number", "tel", "tel no", "telefon",
      "telefonnummer", "telefon geschäftlich", "tel geschäftlich", "tel büro", "telefon zentrale", "rufnummer", "festnetz", "téléphone", "numéro de téléphone",
      "teléfono", "número de teléfono", "telefono", "numero di telefono", "telefone", "número de telefone", "telefoon",
      "telefoonnummer", "numer telefonu", "nr telefonu", "電話", "電話番号", "代表電話",
    ],
    phone_extension: [
      "phone extension", "extension", "phone ext", "ext", "durchwahl", "nebenstelle", "extensión", "interno",
      "ramal", "doorkiesnummer", "numer wewnętrzny", "内線", "内線番号",
    ],
    country: [
      "country", "country code", "country region", "country territory", "iso country", "country name", "company country", "hq country", "nation",
      "billing country", "land", "länderkürzel", "ländercode", "staat", "pays", "code pays", "pays région", "país", "país región",
      "paese", "nazione", "país região", "land regio", "kraj", "kraj region", "państwo", "国", "国名", "国 地域",
    ],
    city: [
      "city", "town", "city town", "city name", "billing city", "company city", "hq city", "locality", "stadt", "ort", "ortschaft",
      "gemeinde", "ville", "commune", "localité", "ciudad", "localidad", "población", "municipio", "città", "comune", "località",
      "cidade", "município", "localidade", "plaats", "stad", "woonplaats", "vestigingsplaats", "miasto", "miejscowość",
      "市", "市区町村", "都市",
    ],
    employees: [
      "employees", "number of employees", "no of employees", "nr of employees", "num of employees", "employee count",
      "employees count", "num employees", "headcount", "head count", "company size", "no employees", "employee size", "employee number", "emp count", "staff", "fte",
      "mitarbeiter", "mitarbeiterzahl", "anz mitarbeiter", "mitarbeiteranzahl", "anzahl mitarbeiter", "anzahl der mitarbeiter", "anzahl beschäftigte",
      "beschäftigte", "effectif", "effectifs", "nombre d'employés", "nombre de salariés", "nb employés", "nb salariés", "empleados", "nº empleados", "num empleados", "número de empleados",
      "nº de empleados", "dipendenti", "numero dipendenti", "numero di dipendenti", "funcionários", "número de funcionários", "nº de funcionários", "nº funcionários", "qtd funcionários",
      "empregados", "número de empregados", "medewerkers", "aantal medewerkers", "aantal werknemers", "werknemers",
      "liczba pracowników", "pracownicy", "zatrudnienie", "従業員数", "社員数",
    ],
    industry: [
      "industry", "sector", "line of business", "branche", "industrie", "wirtschaftszweig", "secteur", "secteur d'activité",
      "industria", "sector de actividad", "giro", "settore", "settore di attività", "setor", "indústria", "ramo de atividade",
      "ramo", "bedrijfstak", "branża", "sektor", "業種", "業界",
    ],
  },
  fallbacks: {
    email: ["email 2", "secondary email", "other email"],
    phone: [
      "direct phone", "direct line", "direct dial", "phone 2", "other phone", "mobile", "mobile phone", "mobile phone number", "mobile number", "cell", "cell phone", "mobil", "mobiltelefon",
      "mobilnummer", "handy", "handynummer", "portable", "tél mobile", "téléphone mobile", "móvil", "teléfono móvil",
      "celular", "cellulare", "telemóvel", "telefone celular", "mobiel", "mobiele telefoon", "telefon komórkowy", "komórka",
      "携帯電話", "home phone",
    ],
  },
  examples: [
    {
      header: ["Company", "num. of employees", "Country (ISO)", "Phone (work)", "URL:"],
      becomes: {
        Company: "name", "num. of employees": "employees", "Country (ISO)": "country", "Phone (work)": "phone",
        "URL:": "website",
      },
    },
    {
      header: ["id", "name", "email", "identifier", "phone_number", "ip_address", "company_name"],
      becomes: { email: "email", phone_number: "phone", company_name: "name" },
    },
    {
      header: ["First Name", "Last Name", "Name", "Email", "Company*"],
      becomes: { Email: "email", "Company*": "name" },
    },
    { header: ["Vorname", "Nachname", "Name", "E-Mail", "Ort"], becomes: { "E-Mail": "email", Ort: "city" } },
    {
      header: ["Nazwa firmy", "Strona WWW", "Liczba pracowników", "Kraj", "Miejscowość", "Branża"],
      becomes: {
        "Nazwa firmy": "name", "Strona WWW": "website", "Liczba pracowników": "employees", Kraj: "country",
        Miejscowość: "city", Branża: "industry",
      },
    },
    {
      header: ["会社名", "電話番号", "国", "市区町村", "従業員数", "業種"],
      becomes: { 会社名: "name", 電話番号: "phone", 国: "country", 市区町村: "city", 従業員数: "employees", 業種: "industry" },
    },
  ],
};
