import { wordSet } from "./text";

/**
 * Sites where others have a page: networks, directories, marketplaces, job boards, booking sites, stores of apps, short
 * links. A page there, and a host name there, belongs to the company; the domain does not.
 */
export const PORTALS: ReadonlySet<string> = wordSet(`
    facebook.com fb.com fb.me m.me instagram.com linkedin.com lnkd.in twitter.com x.com threads.net youtube.com youtu.be
    tiktok.com snapchat.com pinterest.com xing.com vk.com ok.ru t.me telegram.me wa.me whatsapp.com weibo.com wechat.com
    line.me reddit.com quora.com vimeo.com dailymotion.com flickr.com twitch.tv discord.com discord.gg meetup.com
    mastodon.social bsky.app about.me linktr.ee linkin.bio beacons.ai solo.to taplink.cc campsite.bio bio.link
    bit.ly goo.gl t.co tinyurl.com ow.ly buff.ly amzn.to cutt.ly is.gd rb.gy shorturl.at rebrand.ly g.page g.co
    google.com waze.com openstreetmap.org
    wikipedia.org wikidata.org crunchbase.com angel.co angellist.com wellfound.com pitchbook.com f6s.com owler.com
    zoominfo.com
    dnb.com bloomberg.com cbinsights.com apollo.io rocketreach.co lusha.com signalhire.com producthunt.com g2.com
    capterra.com
    clutch.co goodfirms.co trustpilot.com sortlist.com getapp.com softwareadvice.com
    github.com gitlab.com bitbucket.org sourceforge.net npmjs.com pypi.org apple.com behance.net dribbble.com
    alibaba.com aliexpress.com 1688.com made-in-china.com globalsources.com dhgate.com tradekey.com ec21.com ecplaza.net
    tradeindia.com indiamart.com exportersindia.com diytrade.com taobao.com tmall.com jd.com rakuten.co.jp mercari.com
    shopee.com lazada.com tokopedia.com bukalapak.com flipkart.com jumia.com noon.com souq.com trendyol.com hepsiburada.com
    n11.com allegro.pl olx.com olx.pl avito.ru ozon.ru wildberries.ru
    mercadolivre.com.br mercadolibre.com mercadolibre.com.mx mercadolibre.com.ar bol.com marktplaats.nl 2dehands.be
    leboncoin.fr
    kleinanzeigen.de mobile.de autoscout24.com autoscout24.de immobilienscout24.de
    heureka.cz wlw.de wer-liefert-was.de thomasnet.com directindustry.com exportpages.com industrystock.com
    booking.com airbnb.com expedia.com hotels.com agoda.com hostelworld.com hrs.de hrs.com trivago.com trip.com vrbo.com
    homeaway.com holidaycheck.de kayak.com opentable.com thefork.com lafourchette.com resy.com quandoo.de bookatable.com
    ubereats.com deliveroo.co.uk doordash.com grubhub.com just-eat.co.uk justeat.it lieferando.de thuisbezorgd.nl
    takeaway.com
    foodpanda.com zomato.com swiggy.com glovoapp.com wolt.com treatwell.co.uk treatwell.de fresha.com booksy.com
    mindbodyonline.com doctolib.fr doctolib.de jameda.de zocdoc.com healthgrades.com doctoralia.com avvo.com findlaw.com
    justia.com lawyers.com zillow.com realtor.com rightmove.co.uk zoopla.co.uk houzz.com angi.com angieslist.com
    homeadvisor.com thumbtack.com checkatrade.com bark.com myhammer.de
    yellowpages.com yellowpages.ca yellowpages.com.au yellow.co.nz yell.com thomsonlocal.com 192.com freeindex.co.uk
    superpages.com whitepages.com manta.com bbb.org citysearch.com merchantcircle.com hotfrog.com gelbeseiten.de
    dasoertliche.de dastelefonbuch.de 11880.com meinestadt.de goyellow.de golocal.de herold.at firmenabc.at local.ch
    search.ch
    moneyhouse.ch northdata.de northdata.com implisense.com unternehmensregister.de pagesjaunes.fr societe.com pappers.fr
    verif.com manageo.fr paginegialle.it paginebianche.it registroimprese.it paginasamarillas.es einforma.com axesor.es
    paginasamarelas.pt racius.com goudengids.nl telefoonboek.nl openingstijden.nl
    companyweb.be goudengids.be pagesdor.be pkt.pl panoramafirm.pl gowork.pl aleo.com firmy.cz zivefirmy.cz zoznam.sk
    cylex.de itownpage.ne.jp tabelog.com hotpepper.jp gnavi.co.jp justdial.com sulekha.com opencorporates.com
    endole.co.uk
    indeed.com glassdoor.com kununu.com stepstone.de monster.com ziprecruiter.com welcometothejungle.com infojobs.net
    pracuj.pl hh.ru naukri.com seek.com.au jobs.ch
    calendly.com eventbrite.com typeform.com surveymonkey.com notion.so airtable.com trello.com dropbox.com
    wetransfer.com docsend.com slideshare.net issuu.com scribd.com gofundme.com kickstarter.com indiegogo.com patreon.com
    ko-fi.com paypal.me venmo.com eventim.de ticketmaster.com bandsintown.com spotify.com soundcloud.com
    itunes.com wix.com godaddy.com`);

/** Portals with a domain in many countries: amazon.de, tripadvisor.co.uk, kompass.com. */
const FAMILIES: ReadonlySet<string> = wordSet(`
    amazon airbnb craigslist cylex ebay europages expedia foursquare glassdoor google gumtree hotfrog indeed infobel
    jooble kijiji kompass lieferando linkedin mercadolibre mercadolivre olx opentable pinterest rakuten shopee thefork
    tripadvisor trivago trustpilot tuugo ubereats yelp zomato`);

/** Host names under which a portal has its own pages, in front of its domain. */
const OWN_HOSTS = /^(?:|www\d?|m|mobile|[a-z]{2}(?:-[a-z]{2})?)$/;

/** `label` is the part of the registrable `domain` before its public suffix. */
export function isPortal(domain: string, label: string): boolean {
  return PORTALS.has(domain) || FAMILIES.has(label);
}

/** `subdomain`: of a company at the portal, such as `acme.en` in acme.en.alibaba.com. */
export function isHostAtPortal(subdomain: string): boolean {
  return !OWN_HOSTS.test(subdomain);
}
