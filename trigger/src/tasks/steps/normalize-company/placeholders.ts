import { wordSet } from "./text";

/**
 * Domains that people type where they have none to give. Reserved ones (RFC 2606) and those that public lists of dummy
 * addresses name; a company that has one of them for its own is named in `company_domains`.
 */
export const PLACEHOLDER_DOMAINS: ReadonlySet<string> = wordSet(`
    aaa.aaa abcd.com address.com asd.com asdasd.com asdf.com asdfasdf.com blah.com blank.com company.com companyname.com
    donotemail.com donotreply.com domain.com domain.net domain.org domain.tld dummy.com dummymail.com email.email
    emailaddress.com fake.com fake.de fakeemail.com fakemail.com invalid.com mail.none mycompany.com mydomain.com mysite.com
    na.com na.na no-email.com no-mail.com no-reply.com no.com no.no nodomain.com noemail.biz noemail.com noemail.de
    noemail.es noemail.fr noemail.it noemail.net noemail.nl noemail.org noemailaddress.com noemailprovided.com nomail.com
    nomail.de nomail.fr nomail.net nomail.org none.com none.net none.org noreply.com noreply.de noreply.net notavailable.com
    noaddress.com nobody.com nothing.com notprovided.com nowhere.com null.com null.net placeholder.com qwe.com qwerty.com
    sample.com site.com temp.com test.com test.net test.org testing.com testmail.com tbd.com unknown.com unknown.net
    unknown.org website.com xxx.xxx xyz.xyz yourcompany.com yourdomain.com yourname.com yoursite.com yourwebsite.com zzz.com
    ihrefirma.de ihre-domain.de keine.de keineemail.de keine-email.de keinemail.de keine-mail.de meinefirma.de muster.de
    musterfirma.de mustermann.de musterunternehmen.de unbekannt.de
    aucun.com aucun.fr inconnu.fr inconnu.com pasdemail.com pasdemail.fr pasdadresse.fr pas-email.fr sansemail.fr
    sansmail.com sansmail.fr votredomaine.com votredomaine.fr votresite.fr
    correo.com desconocido.com midominio.com miempresa.com ninguno.com nohay.com notiene.cl notiene.co notiene.com
    notiene.com.mx notiene.es noposee.com noregistra.com sincorreo.cl sincorreo.co sincorreo.com sincorreo.es sinemail.com
    sinmail.com tudominio.com tuempresa.com
    assente.it nessuna.it nessuno.it noemail.com nonpresente.it senzaemail.it senzamail.it tuodominio.it tuaazienda.it
    nao.com naoinformado.com naoinformado.com.br naotem.com naotem.com.br naopossui.com naopossui.com.br sememail.com
    sememail.com.br seudominio.com.br suaempresa.com.br
    geen.nl geenemail.nl geenmail.nl onbekend.nl uwbedrijf.nl uwdomein.nl
    brak.com brak.pl brakmaila.pl nieznany.pl nie-ma.pl niema.pl twojadomena.pl twojafirma.pl`);

/** "Example" in many languages: example.com, beispiel.de, exemplo.com.br. */
const EXAMPLES: ReadonlySet<string> = new Set(
  `beispiel beispielfirma ejemplo esempio example exemple exemplo przyklad voorbeeld xn--przykad-rjb`.split(" "),
);

/** Local parts that say that there is no address. */
const LOCAL_PARTS: ReadonlySet<string> = wordSet(`
    aucun brak desconhecido desconocido geen inconnu keine keineemail keinemail nada nao naoinformado naotem
    nenhum nessuna nessuno niema noaddress nobody noemail noemailaddress noexiste nohay nomail none noposee notapplicable
    notavailable notgiven nothing notiene notprovided null onbekend pasdemail placeholder sansemail sansmail sememail
    sinemail sincorreo sinmail tbd unbekannt undefined unknown xxx xxxx`);

/** Nobody's mailbox at a provider, and a real one at a company. */
const AT_PROVIDERS: ReadonlySet<string> = wordSet("abc asdf email mail na no noreply test testing user xx");

/** `label`: the part of the registrable `domain` before its public suffix. */
export function isPlaceholderDomain(domain: string, label: string): boolean {
  return PLACEHOLDER_DOMAINS.has(domain) || EXAMPLES.has(label);
}

/** Where people type an address at random it is a single letter: `a@a.com`. Hardly a company has one. */
export function isPlaceholderMailDomain(domain: string, label: string): boolean {
  return label.length === 1 || isPlaceholderDomain(domain, label);
}

export function isPlaceholderLocalPart(local: string): boolean {
  return LOCAL_PARTS.has(local.replace(/[._-]/g, ""));
}

/** `test@gmail.com`, `mail@mail.com`. */
export function isPlaceholderAtProvider(local: string, label: string): boolean {
  return local === label || AT_PROVIDERS.has(local);
}
