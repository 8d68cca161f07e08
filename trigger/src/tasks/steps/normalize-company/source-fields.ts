import { attio } from "./source-fields/attio";
import { dynamics } from "./source-fields/dynamics";
import { espocrm } from "./source-fields/espocrm";
import { everyday } from "./source-fields/everyday";
import { googleContacts } from "./source-fields/google-contacts";
import { hubspot } from "./source-fields/hubspot";
import { outlookContacts } from "./source-fields/outlook-contacts";
import { pipedrive } from "./source-fields/pipedrive";
import { salesforce } from "./source-fields/salesforce";
import { CANONICAL_FIELDS, type CanonicalField, type SourceSystem } from "./source-fields/source-system";
import { suitecrm } from "./source-fields/suitecrm";
import { twenty } from "./source-fields/twenty";
import { zoho } from "./source-fields/zoho";

export const SYSTEMS: Readonly<Record<string, SourceSystem>> = {
  everyday,
  hubspot,
  salesforce,
  pipedrive,
  dynamics,
  zoho,
  espocrm,
  suitecrm,
  twenty,
  attio,
  googleContacts,
  outlookContacts,
};

/** The headers that a field is taken from when the config names none: the canonical name, then those of all systems. */
export const KNOWN_HEADERS = Object.fromEntries(
  CANONICAL_FIELDS.map((field) => {
    const systems = Object.values(SYSTEMS);
    const own = systems.flatMap(({ fields }) => fields[field] ?? []);
    const fallbacks = systems.flatMap((system) => system.fallbacks?.[field] ?? []);
    return [field, [field, ...own, ...fallbacks]];
  }),
) as unknown as Readonly<Record<CanonicalField, readonly string[]>>;

/**
 * Headers that name the company in a file about companies, and the person in a file about people. They are not read if
 * another column names the company, or if the file has the parts of a person's name.
 */
// prettier-ignore
export const NAMES_OF_EITHER = [
  "name", "nom", "nombre", "nome", "naam", "nazwa", "名前", "名称", "record",
];

/** Headers that only a file about people has. */
// prettier-ignore
export const PARTS_OF_A_PERSONS_NAME = [
  "first name", "last name", "given name", "family name", "surname", "middle name", "salutation", "vorname", "nachname",
  "familienname", "prénom", "nom de famille", "apellido", "apellidos", "primer apellido", "cognome", "sobrenome", "apelido",
  "primeiro nome", "voornaam", "achternaam", "tussenvoegsel", "imię", "nazwisko", "姓", "名", "氏名", "フリガナ", "full name",
  "contact name", "job title",
];
