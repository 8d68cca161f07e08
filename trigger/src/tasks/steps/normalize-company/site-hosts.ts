import { wordSet } from "./text";

/**
 * Website builders and services that give every customer a host name (`acme.wordpress.com`) and are not in the public suffix
 * list. Their customers share nothing but the builder.
 */
export const SITE_HOSTS = wordSet(`
    000webhostapp.com art.blog atlassian.net bamboohr.com bandcamp.com bigcartel.com business.blog business.site
    canalblog.com canva.site carbonmade.com cargo.site chayns.net chayns.site chez.com company.site de.tl
    e-monsite.com eatbu.com etsy.com food.blog free.fr freshdesk.com ghost.io glitch.me godaddysites.com home.blog
    homepage-baukasten.de hostingersite.com hpage.com hs-sites-eu1.com hs-sites.com hubspotpagebuilder.com
    hubspotpagebuilder.eu jimdo.com jimdofree.com jimdosite.com jimdoweb.com jouwweb.nl livejournal.com
    mailchimpsites.com medium.com mozello.com mozellosite.com multiscreensite.com my-free.website mybigcommerce.com
    myclickfunnels.com mykajabi.com myportfolio.com mystrikingly.com negocio.site neocities.org npage.de odoo.com
    onepage.me onmicrosoft.com pagesperso-orange.fr podia.com recruitee.com sharepoint.com simplybook.it simplybook.me
    site123.me squarespace.com storenvy.com strikingly.com substack.com teachable.com teamtailor.com thinkific.com
    tilda.ws tripod.com tumblr.com typepad.com ubpages.com ucraft.net ucraft.site ueniweb.com webs.com
    websitepro.hosting weebly.com wordpress.com wpcomstaging.com zendesk.com zohosites.com zohosites.eu zyrosite.com`);

/** Website builders with domains in many countries: webnode.at, webnode.com.br. */
const FAMILIES = new Set(["beepworld", "blogspot", "over-blog", "ucoz", "webador", "webnode"]);

/** `label` is the part of the registrable `domain` before its public suffix. */
export function isSiteHost(domain: string, label: string): boolean {
  return SITE_HOSTS.has(domain) || FAMILIES.has(label);
}

/** Names under which a host has its own pages, or those of many customers, and not one customer's site. */
const HOSTS_OWN_NAMES = new Set(["", "www", "members", "perso", "users"]);

export function isSiteName(label: string): boolean {
  return !HOSTS_OWN_NAMES.has(label);
}
