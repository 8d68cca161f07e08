/**
 * Names of territories, folded, that Unicode CLDR 48.2 has in English, German, French, Spanish, Italian, Portuguese (of
 * Brazil and Portugal), Dutch, Polish or Japanese, its short and variant names among them, and that i18n-iso-countries
 * lacks. Names of two territories ("Congo") are left out. A line that begins with a code begins a territory.
 */
const LINES = `
    AQ antarktyda
    AS 米領サモア
    AX alandinseln | iles aland | alanda
    BA bosnia | bosnia e herzegovina
    BD bangladeche
    BF burquina faso
    BH barem
    BL st barthelemy
    BN ブルネイ
    BO ボリビア
    BQ caribbean netherlands | karibische niederlande | pays bas caribeens | caribe neerlandes | caraibi
      olandesi | caribisch nederland | niderlandy karaibskie | オランダ領カリブ
    BS baamas
    CC cocos islands | islas cocos | isole cocos keeling | ilhas dos cocos keeling
    CD congo drc | kongo demokratische republik | congo rdc | republica democratica del congo | republica
      democratica do congo | kongo drk | コンゴ民主共和国 キンシャサ
    CG congo republic | kongo republik | congo republica | congo repubblica | republica do congo | congo
      republiek | republika konga | コンゴ共和国 ブラザビル
    CI republique de cote d ivoire | cote d ivoire costa do marfim | 象牙海岸
    CW curazao | curacau
    CX isola christmas | ilha christmas | ilha do natal
    CZ tchequie | cechia | tchequia | republica tcheca | republika czeska | チェコ共和国
    EH sara ocidental
    FK falkland islands | falkland islands islas malvinas | falklandinseln malwinen | iles malouines iles
      falkland | islas malvinas islas falkland | isole falkland isole malvine | ilhas malvinas ilhas falkland |
      ilhas falkland | ilhas falkland malvinas | falklandeilanden islas malvinas | falklandy malwiny | フォークランド諸島
      | フォークランド諸島 マルビーナス諸島
    GB wlk bryt
    GF 仏領ギアナ
    GS south georgia south sandwich islands | islas georgia del sur y sandwich del sur | georgia del sud e
      sandwich australi | ilhas georgia do sul e sandwich do sul | zuid georgia en zuidelijke sandwicheilanden
    GU guame
    HK sonderverwaltungsregion hongkong | r a s chinoise de hong kong | rae de hong kong china | ras di hong
      kong | hong kong rae da china | hongkong sar van china | sra hongkong chiny | 中華人民共和国香港特別行政区
    HM heard mcdonald islands | islas heard y mcdonald | ilhas heard e mcdonald | ハード島 マクドナルド諸島
    IO chagos archipelago | chagos archipel | territoire britannique de l ocean indien | archipel des chagos |
      archipielago de chagos | territorio britannico dell oceano indiano | arcipelago chagos | arquipelago de
      chagos | brits indische oceaanterritorium | chagoseilanden | archipelag czagos | 英領インド洋地域 | チャゴス諸島
    IR イラン
    KG kirghizstan
    KN st kitts nevis | san cristobal y nieves | sao cristovao e nevis | セントクリストファー ネーヴィス
    KP corea del norte | 北朝鮮
    KR corea del sur | 韓国
    KY ilhas cayman
    LA ラオス
    LI listenstaine
    MD republik moldau | モルドバ
    MF st martin | san martin | sao martinho saint martin | サン マルタン
    MM myanmar birmanie | myanmar birmania | myanmar birma | ミャンマー ビルマ
    MO macao sar china | sonderverwaltungsregion macau | r a s chinoise de macao | rae de macao china | ras di
      macao | macau rae da china | macau sar van china | sra makau chiny | 中華人民共和国マカオ特別行政区
    NZ aotearoa new zealand | aotearoa neuseeland | aotearoa nouvelle zelande | aotearoa nueva zelanda | nuova
      zelanda aotearoa | aotearoa da nova zelandia | aotearoa | aotearoa nieuw zeeland | アオテアロア ニュージーランド
    PF 仏領ポリネシア
    PM st pierre miquelon | st pierre und miquelon | sao pedro e miquelao
    PN islas pitcairn | pitcairneilanden | ピトケアン諸島
    PR portorico
    PS palestinian territories | palastinensische autonomiegebiete | palastina | territoires palestiniens |
      territori palestinesi | territorios palestinianos | palestijnse gebieden | terytoria palestynskie |
      パレスチナ自治区
    RE la reunion | riunione
    RU ロシア
    SA arabia saudi
    SC seicheles
    SH santa elena | sant elena | wyspa swietej heleny | セントヘレナ
    SJ svalbard jan mayen | spitzbergen und jan mayen | svalbard et jan mayen | スバールバル諸島 ヤンマイエン島
    SM sao marinho
    SS sud sudan
    ST sao tome principe
    SX sao martinho sint maarten | シント マールテン
    SY シリア
    SZ swasiland | suazilandia | regno di eswatini | suazi | エスワティニ
    TC turks caicos islands
    TF territorios australes franceses | terre australi francesi | territorios franceses do sul | franse
      gebieden in de zuidelijke indische oceaan | 仏領極南諸島
    TJ tadjiquistao
    TK toquelau
    TL east timor | republica democratica de timor leste | oost timor | democratische republiek oost timor |
      東チモール
    TM turcomenistao
    TR テュルキエ
    UM u s outlying islands | amerikanische uberseeinseln | islas menores alejadas de ee uu | ilhas menores
      distantes dos eua | ilhas menores afastadas dos eua | kleine afgelegen eilanden van de verenigde staten
    US etats unis | ee uu | stati uniti | アメリカ
    UZ usbequistao
    VA vatican city | etat de la cite du vatican | ciudad del vaticano | cidade do vaticano
    VC st vincent grenadines | セントビンセント及びグレナディーン諸島
    VE ベネズエラ
    VG 英領ヴァージン諸島
    VI iles vierges des etats unis | islas virgenes de ee uu | ilhas virgens dos eua | 米領ヴァージン諸島
    VN vietna
    WF wallis futuna
    YT maiote
    ZA republika poludniowej afryki`;

/** Folded name → ISO 3166-1 alpha-2. */
export const CLDR_NAMES: ReadonlyMap<string, string> = new Map(
  [...LINES.matchAll(/^ {4}([A-Z]{2}) ([^]*?)(?=\n {4}[A-Z]{2} |$(?![^]))/gm)].flatMap(([, code = "", names = ""]) =>
    names.split("|").map((name) => [name.replace(/\s+/g, " ").trim(), code] as const),
  ),
);
