import { wordSet } from "./text";

/**
 * Mail providers that are open to everybody, so that an address says nothing about the company. The list is written by
 * hand: published lists contain thousands of ordinary companies' domains, or download themselves when installed.
 */
export const FREEMAIL_DOMAINS = wordSet(`
    gmail.com googlemail.com icloud.com me.com mac.com hotmail.com mail.com email.com usa.com proton.me
    protonmail.com protonmail.ch pm.me tutanota.com tutanota.de tutamail.com tuta.io tuta.com fastmail.com
    fastmail.fm hey.com hushmail.com mailbox.org posteo.de posteo.net startmail.com runbox.com disroot.org
    riseup.net zoho.com zohomail.com zohomail.eu inbox.com gmx.net mail2web.com rocketmail.com ymail.com aim.com
    juno.com netzero.net excite.com lycos.com rediffmail.com yandex.com yandex.ru ya.ru mail.ru inbox.ru bk.ru
    list.ru internet.ru rambler.ru ukr.net i.ua meta.ua bigmir.net tut.by abv.bg mail.bg dir.bg inbox.lv mail.ee
    one.lt web.de freenet.de t-online.de arcor.de online.de email.de freemail.de vodafonemail.de mail.de
    smart-mail.de directbox.com bluewin.ch hispeed.ch sunrise.ch chello.at aon.at a1.net utanet.at orange.fr
    wanadoo.fr free.fr sfr.fr neuf.fr laposte.net bbox.fr numericable.fr club-internet.fr voila.fr aliceadsl.fr
    libero.it virgilio.it alice.it tin.it tiscali.it iol.it inwind.it fastwebnet.it email.it poste.it pec.it
    telefonica.net terra.es ono.com sapo.pt iol.pt mail.pt clix.pt telepac.pt netcabo.pt telenet.be skynet.be
    proximus.be scarlet.be ziggo.nl kpnmail.nl planet.nl home.nl hetnet.nl upcmail.nl xs4all.nl quicknet.nl
    casema.nl zonnet.nl chello.nl kpnplanet.nl btinternet.com btopenworld.com btconnect.com virginmedia.com
    virgin.net ntlworld.com blueyonder.co.uk talktalk.net sky.com tesco.net o2.co.uk freeserve.co.uk eircom.net
    telia.com tele2.se spray.se comhem.se bredband.net online.no broadpark.no tdcadsl.dk stofanet.dk mail.dk
    jubii.dk kolumbus.fi luukku.com suomi24.fi wp.pl o2.pl onet.pl onet.eu op.pl vp.pl interia.pl interia.eu
    gazeta.pl tlen.pl poczta.fm seznam.cz email.cz centrum.cz atlas.cz post.cz volny.cz azet.sk zoznam.sk centrum.sk
    freemail.hu citromail.hu indamail.hu t-online.hu net.hr siol.net otenet.gr forthnet.gr in.gr mynet.com
    walla.co.il walla.com bezeqint.net zahav.net.il netvision.net.il 012.net.il comcast.net verizon.net att.net
    sbcglobal.net bellsouth.net cox.net charter.net earthlink.net optonline.net optimum.net rr.com roadrunner.com
    frontier.com frontiernet.net windstream.net centurylink.net q.com mindspring.com pacbell.net swbell.net
    ameritech.net prodigy.net netscape.net suddenlink.net embarqmail.com rogers.com shaw.ca sympatico.ca bell.net
    telus.net videotron.ca cogeco.ca eastlink.ca uol.com.br bol.com.br terra.com.br ig.com.br globo.com
    globomail.com r7.com oi.com.br prodigy.net.mx bigpond.com bigpond.net.au optusnet.com.au iinet.net.au tpg.com.au
    westnet.com.au xtra.co.nz slingshot.co.nz mweb.co.za telkomsa.net vodamail.co.za webmail.co.za qq.com
    foxmail.com 163.com 126.com yeah.net 139.com 189.cn sina.com sina.cn sohu.com aliyun.com tom.com 21cn.com
    naver.com hanmail.net daum.net nate.com kakao.com docomo.ne.jp ezweb.ne.jp softbank.ne.jp nifty.com ocn.ne.jp
    biglobe.ne.jp so-net.ne.jp plala.or.jp pchome.com.tw hinet.net seed.net.tw singnet.com.sg starhub.net.sg
    pacific.net.sg indiatimes.com sify.com vsnl.net in.com`);

/** Providers with a domain in nearly every country: yahoo.co.uk, hotmail.fr, gmx.at. */
const FAMILIES = wordSet("yahoo ymail hotmail outlook live msn gmx aol googlemail rediffmail");

/** `label` is the part of the registrable `domain` before its public suffix. */
export function isFreemail(domain: string, label: string): boolean {
  return FREEMAIL_DOMAINS.has(domain) || FAMILIES.has(label);
}
