import { foldLetters, words } from "./text";

/**
 * Words whose spelling no rule can guess from ALL CAPS or lower case: acronyms with vowels, brands with inner capitals,
 * legal forms in the middle of a name. A word belongs here if title case gets it wrong and it is neither an everyday word
 * nor a person's name.
 */
export const KNOWN_SPELLINGS: readonly string[] = [
  // acronyms that the rules take for words
  ...words(`
    AAA ABB ABN ADAC ADP AEG AIG AMC AMD AMRO AOK AOL ASML ASUS AWS AXA BAE BASF BBC BBVA BMO BP CBRE CERN CGI
    CIBC CNN CVS DATEV DEKRA DVAG EDEKA EDF EMC EMEA ESA ESET ESPN EU EWE EY FIFA GE GEA HDI HP HPE HR HUK IBM ICBC
    IKEA INEOS ING IP IQVIA IT ITT KDDI KLA KONE LEGO LG LVMH MIT MSCI MTU NASA NATO NEC NOAA NVIDIA NYSE OECD OMV REWE RWE
    SAAB SAIC SAP SAS SEB SNCF SSAB STADA TIAA TSMC TUI UBS UCB UK UN UNESCO UNICEF UPM UPS US USA USAA UAE
    YMCA 3M AT&T E.ON H&M P&G S&P TÜV`),
  // brands in capitals that read like words
  ...words(`
    AAON ABM AECOM AGCO AGRAVIS ALDI AMERCO AMETEK AMN ARAL ASGN ATI AVX AZZ CACI EMCOR EOG EPAM ERGO ESAB GATX
    GEICO HEICO HELLA IAC ICF IDEX IDT IMAX IPG KION KUKA LEONI MAHLE ODP ONEOK OSRAM STIHL TEGNA TTEC UGI UNFI USG
    WABCO WAGO WESCO`),
  // inner or missing capitals
  ...words(`
    AccorHotels adidas AirAsia AliExpress AllianceBernstein AstraZeneca BioNTech BlackBerry BlackRock
    BorgWarner CaixaBank CapitaLand ConocoPhillips CrowdStrike DeepL DeepMind DocuSign DoorDash DreamWorks
    DuPont easyJet eBay EnBW EssilorLuxottica eToro ExxonMobil FedEx FlixBus GitHub GitLab GlaxoSmithKline
    GoDaddy GoPro HarperCollins HelloFresh HubSpot innogy iRobot JetBlue JetBrains JPMorgan KfW KraussMaffei L'Oréal
    LinkedIn LogMeIn MediaMarkt MediaTek MetLife MongoDB MoneyGram NetApp NetEase NetSuite NextEra OpenAI
    OpenTable OpenText OVHcloud PayPal PepsiCo PetroChina PetSmart ProSieben PwC QuickBooks SanDisk SoftBank
    SolarWinds SoundCloud SpaceX StubHub SurveyMonkey TeamViewer thyssenkrupp TikTok TransUnion TripAdvisor trivago UniCredit
    UnitedHealth VeriSign VMware voestalpine WeChat WeWork WhatsApp WordPress xAI YouTube ZoomInfo`),
  // legal forms that also stand inside a name
  ...words(`
    GmbH gGmbH mbH KGaA LLC LLP PLC GbR OHG SARL`),
];

/** Spellings by folded word. A later list overrides an earlier one, as an org's own overrides the built-in one. */
export function spellingTable(...lists: readonly (readonly string[])[]): ReadonlyMap<string, string> {
  return new Map(lists.flat().map((spelling) => [foldLetters(spelling), spelling]));
}
