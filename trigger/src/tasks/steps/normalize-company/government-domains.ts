import { wordSet } from "./text";

/**
 * Domains under which a state or a city has all its agencies. An agency with a host name of its own (`dhs.dc.gov`) has
 * that for its domain; a page (`mass.gov/orgs/…`) and an address (`…@dc.gov`) do not tell one agency from another.
 */
export const SHARED_BY_AGENCIES: ReadonlySet<string> = wordSet(`
    alabama.gov alaska.gov az.gov arizona.gov arkansas.gov ar.gov ca.gov colorado.gov ct.gov delaware.gov dc.gov fl.gov
    myflorida.com florida.gov georgia.gov ga.gov hawaii.gov idaho.gov illinois.gov in.gov iowa.gov ks.gov kansas.gov ky.gov
    kentucky.gov la.gov louisiana.gov maine.gov maryland.gov md.gov mass.gov michigan.gov mi.gov mn.gov minnesota.gov ms.gov
    mo.gov mt.gov montana.gov nebraska.gov ne.gov nevada.gov nv.gov nh.gov nj.gov newmexico.gov nm.gov ny.gov nc.gov nd.gov
    ohio.gov oh.gov ok.gov oklahoma.gov oregon.gov or.gov pa.gov ri.gov sc.gov sd.gov tn.gov texas.gov tx.gov utah.gov
    vermont.gov vt.gov virginia.gov wa.gov wv.gov wisconsin.gov wi.gov wyo.gov wyoming.gov pr.gov guam.gov vi.gov
    nyc.gov cityofnewyork.us lacity.org lacity.gov lacounty.gov chicago.gov cityofchicago.org cookcountyil.gov houstontx.gov
    phila.gov phoenix.gov sandiego.gov sanantonio.gov sfgov.org sf.gov seattle.gov kingcounty.gov boston.gov denvergov.org
    dallas.gov austintexas.gov portland.gov portlandoregon.gov baltimorecity.gov detroitmi.gov miamidade.gov
    hhs.gov nih.gov usda.gov dot.gov doi.gov noaa.gov energy.gov treasury.gov treas.gov justice.gov usdoj.gov dhs.gov ed.gov
    commerce.gov state.gov gsa.gov usa.gov uscourts.gov house.gov senate.gov army.mil navy.mil af.mil usmc.mil osd.mil
    mail.mil
    canada.ca alberta.ca gov.bc.ca gov.on.ca ontario.ca gouv.qc.ca quebec.ca gov.mb.ca saskatchewan.ca novascotia.ca
    gov.ab.ca toronto.ca nsw.gov.au nt.gov.au act.gov.au bund.de bayern.de baden-wuerttemberg.de bwl.de berlin.de
    brandenburg.de bremen.de hamburg.de hessen.de mvnet.de
    regierung-mv.de niedersachsen.de nrw.de land.nrw rlp.de saarland.de sachsen.de sachsen-anhalt.de schleswig-holstein.de
    thueringen.de muenchen.de koeln.de stadt-koeln.de admin.ch zh.ch be.ch ag.ch vd.ch ge.ch bs.ch wien.gv.at
    europa.eu gov.wales gov.im gov.je www.gov.uk nhs.net rijksoverheid.nl overheid.nl
    amsterdam.nl rotterdam.nl vlaanderen.be wallonie.be fgov.be brussels.be paris.fr juntadeandalucia.es
    gencat.cat madrid.org xunta.gal euskadi.eus comune.roma.it comune.milano.it regione.lombardia.it regione.lazio.it
    regione.toscana.it www.gov.br www.gob.mx cdmx.gob.mx www.gob.pe www.gov.pl www.gov.il
    www.gov.za www.gov.sg www.gov.hk www.gov.ie un.org`);

/** `label`: the part of the registrable `domain` before its public suffix. States of the US share `state.<xx>.us`. */
export function isSharedByAgencies(domain: string, label: string): boolean {
  return SHARED_BY_AGENCIES.has(domain) || (label === "state" && domain.endsWith(".us"));
}
