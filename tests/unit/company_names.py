"""Company names and cities in the languages that files come in, with the encodings of such files."""

from __future__ import annotations

# Language: its encodings, and the lines of a file.
LANGUAGES: dict[str, tuple[str, str]] = {
    "pl": (
        "cp1250 iso8859_2",
        """\
Nazwa;Miasto;Województwo
Zakłady Mięsne Łuków Sp. z o.o.;Polska;Łuków
Żabka Gdańsk;Polska;Gdańsk
Świeży Świat S.A.;Polska;Kraków
Przedsiębiorstwo Budowlane Wróbel;Polska;Wrocław
Piekarnia Pod Dębem;Polska;Częstochowa
Hurtownia Książek Ósemka;Polska;Łódź
""",
    ),
    "cs": (
        "cp1250 iso8859_2",
        """\
Firma;Město;Země
Škoda Auto a.s.;Česko;Mladá Boleslav
Pražská plynárenská;Česká republika;Praha
Železárny Veselí s.r.o.;ČR;Veselí nad Moravou
Dřevo Trust Plzeň;Česko;Plzeň
Žďárské strojírny;Česko;Žďár nad Sázavou
Jihočeské pekárny;Česko;České Budějovice
""",
    ),
    "sk": (
        "cp1250 iso8859_2",
        """\
Názov;Mesto;Štát
Slovenské elektrárne;Slovensko;Bratislava
Železiarne Podbrezová;Slovensko;Podbrezová
Mäsiarstvo Ľubica;Slovensko;Košice
Východoslovenské strojárne;Slovensko;Prešov
Kúpele Piešťany;Slovensko;Piešťany
""",
    ),
    "hu": (
        "cp1250 iso8859_2",
        """\
Cégnév;Város;Ország
Magyar Cukor Zrt.;Magyarország;Kaposvár
Győri Keksz Kft.;Magyarország;Győr
Szőlő és Bor Bt.;Magyarország;Hódmezővásárhely
Fővárosi Vízművek;Magyarország;Budapest
Dunaújvárosi Gépgyár;Magyarország;Dunaújváros
Törökbálinti Bútor Kft.;Magyarország;Törökbálint
""",
    ),
    "hr": (
        "cp1250 iso8859_2",
        """\
Naziv;Grad;Država
Đuro Đaković d.d.;Hrvatska;Slavonski Brod
Građevinsko poduzeće Čačić;Hrvatska;Varaždin
Kraš;Hrvatska;Zagreb
Šećerana Županja;Hrvatska;Županja
Vrtni centar Žitnjak;Hrvatska;Čakovec
""",
    ),
    "sl": (
        "cp1250",
        """\
Podjetje;Mesto;Država
Gorenje gospodinjski aparati;Slovenija;Velenje
Žito d.o.o.;Slovenija;Ljubljana
Kovaštvo Černe;Slovenija;Škofja Loka
Pivovarna Laško;Slovenija;Laško
Čebelarstvo Jurič;Slovenija;Krško
""",
    ),
    "ro": (
        "cp1250 iso8859_2",
        """\
Denumire;Oraş;Judeţ
Întreprinderea Mecanică;România;Braşov
Fabrica de Pâine Ţepeş;România;Târgu Mureş
Construcţii Ştefan SRL;România;Iaşi
Brutăria Băneasa;România;Bucureşti
Livezile Gălăţene;România;Galaţi
""",
    ),
    "de": (
        "cp1252 mac_roman cp850 iso8859_15",
        """\
Name,Land,Telefon
Müller & Söhne GmbH,Österreich,Köln
Bäckerei Größer,Deutschland,Düsseldorf
Jürgen Weiß Gebäudetechnik,Deutschland,München
Grün KG,Schweiz,Zürich
Schlüsseldienst Bauer,Deutschland,Nürnberg
Fußboden Schröder,Deutschland,Lübeck
""",
    ),
    "fr": (
        "cp1252 mac_roman cp850 iso8859_15",
        """\
Raison sociale;Ville;Téléphone
Société Générale d’électricité;France;Orléans
Boulangerie Hélène;France;Besançon
Café de la Gare;Belgique;Liège
Les Frères Goût;France;Nîmes
Crédit Foncier;Suisse;Genève
Établissements Lefèvre;France;Béziers
""",
    ),
    "es": (
        "cp1252 mac_roman cp850",
        """\
Razón social;Población;Teléfono
Construcciones Núñez S.L.;España;Málaga
Compañía Ibérica;España;Córdoba
Panadería Peña;México;León
Ibáñez e Hijos;España;Logroño
Señalización Vial;Perú;Ancón
Jardinería Sánchez;España;Cádiz
""",
    ),
    "it": (
        "cp1252 mac_roman",
        """\
Ragione sociale;Città;Telefono
Società Elettrica;Italia;Forlì
Caffè Vergnano;Italia;Torino
Qualità e Novità Srl;Italia;Cantù
Libertà Viaggi;Italia;Roma
Più Bontà;Italia;Città di Castello
""",
    ),
    "pt": (
        "cp1252 mac_roman cp850",
        """\
Empresa;Cidade;Estado
Construção João Ltda;Brasil;São Paulo
Padaria Conceição;Portugal;Évora
Soluções Técnicas;Brasil;Goiânia
Irmãos Guimarães;Portugal;Guimarães
Comércio de Móveis;Brasil;Brasília
Têxteis Araújo;Portugal;Vila Nova de Famalicão
""",
    ),
    "sv": (
        "cp1252 mac_roman",
        """\
Företag;Ort;Land
Åkeri AB;Sverige;Malmö
Bröderna Sjöberg;Sverige;Göteborg
Skånska Bröd;Sverige;Ängelholm
Västerås Plåt;Sverige;Västerås
Kött & Fågel;Sverige;Örebro
""",
    ),
    "da": (
        "cp1252 mac_roman cp850",
        """\
Virksomhed;By;Land
Sørensen Møbler ApS;Danmark;Ærø
Brødrene Kjær;Danmark;Ålborg
Tømrer Højgaard;Danmark;København
Rødovre Smørrebrød;Danmark;Rødovre
Færch Plast;Danmark;Næstved
""",
    ),
    "no": (
        "cp1252",
        """\
Firma;Sted;Land
Fjære Bygg AS;Norge;Tromsø
Sørlandets Båt;Norge;Ålesund
Høyanger Metall;Norge;Høyanger
Øya Fisk;Norge;Bodø
""",
    ),
    "fi": (
        "cp1252 mac_roman",
        """\
Yritys;Kaupunki;Maa
Hämeen Rakennus Oy;Suomi;Hämeenlinna
Jyväskylän Sähkö;Suomi;Jyväskylä
Mäkelän Leipomo;Suomi;Seinäjoki
Pöytä ja Tuoli;Suomi;Hyvinkää
""",
    ),
    "nl": (
        "cp1252",
        """\
Bedrijf;Plaats;Land
Coöperatie Zuivel;Nederland;Appelscha
Café België;België;Geraardsbergen
Financiële Diensten;Nederland;Groningen
""",
    ),
    "is": (
        "cp1252 mac_iceland",
        """\
Company,Country,City
Fiskvinnsla Þórshafnar,Ísland,Þórshöfn
Húsasmiðjan,Ísland,Reykjavík
Mjólkurbú Flóamanna,Ísland,Höfn í Hornafirði
Ölgerðin Egill,Ísland,Hafnarfjörður
""",
    ),
    "ru": (
        "cp1251 koi8_r cp866 iso8859_5 mac_cyrillic",
        """\
Название;Город;Телефон
ООО Ромашка;Россия;Москва
Завод железобетонных изделий;Россия;Екатеринбург
АО Северсталь;Россия;Череповец
Хлебозавод №3;Россия;Нижний Новгород
Торговый дом Русь;Россия;Санкт-Петербург
ИП Кузнецов;Россия;Казань
""",
    ),
    "uk": (
        "cp1251 koi8_u",
        """\
Назва;Місто;Країна
ТОВ Київхліб;Україна;Київ
Львівська кондитерська фабрика;Україна;Львів
Запоріжсталь;Україна;Запоріжжя
ПП Їжачок;Україна;Чернівці
Вінницький молочний завод;Україна;Вінниця
""",
    ),
    "bg": (
        "cp1251",
        """\
Фирма;Град;Държава
Български пощи ЕАД;България;София
Мебели Здравец;България;Пловдив
Търговска къща Дунав;България;Русе
Млечна промишленост;България;Велико Търново
""",
    ),
    "sr": (
        "cp1251",
        """\
Назив;Град;Држава
Млекара Шабац;Србија;Шабац
Пекара Ђорђевић;Србија;Ниш
Грађевинско предузеће;Србија;Крагујевац
Њива;Србија;Љиг
""",
    ),
    "el": (
        "cp1253 iso8859_7",
        """\
Επωνυμία;Πόλη;Χώρα
Αφοί Παπαδόπουλοι Α.Ε.;Ελλάδα;Αθήνα
Ελληνικά Γαλακτοκομεία;Ελλάδα;Λάρισα
Φαρμακευτική Εταιρεία;Ελλάδα;Θεσσαλονίκη
Οικοδομικά Υλικά;Ελλάδα;Πάτρα
Ξενοδοχείο Ήλιος;Ελλάδα;Ηράκλειο
""",
    ),
    "tr": (
        "cp1254 iso8859_9",
        """\
Şirket;Şehir;Ülke
Güneş İnşaat A.Ş.;Türkiye;İstanbul
Çelik Mühendislik;Türkiye;Eskişehir
Yıldız Gıda Sanayi;Türkiye;Diyarbakır
Öz Doğan Tekstil;Türkiye;Muğla
Balıkçı Şükrü;Türkiye;Çanakkale
Ağaoğlu Yapı;Türkiye;Iğdır
""",
    ),
    "he": (
        "cp1255 iso8859_8",
        """\
שם;עיר;מדינה
מאפיית ירושלים;ישראל;ירושלים
חברת החשמל;ישראל;חיפה
תנובה;ישראל;תל אביב
מפעלי ברזל בעמ;ישראל;באר שבע
יין הגליל;ישראל;צפת
""",
    ),
    "ar": (
        "cp1256 iso8859_6",
        """\
الشركة;المدينة;البلد
شركة النيل للمقاولات;مصر;القاهرة
مصنع الأمل;السعودية;الرياض
مؤسسة الخليج التجارية;الإمارات;دبي
مطاحن الشرق;الأردن;عمان
البنك الأهلي;السعودية;جدة
""",
    ),
    "lt": (
        "cp1257 iso8859_13",
        """\
Įmonė;Miestas;Šalis
UAB Žalgirio statyba;Lietuva;Šiauliai
Kauno grūdai;Lietuva;Kaunas
Panevėžio pienas;Lietuva;Panevėžys
Vilniaus duona;Lietuva;Vilnius
Baldų fabrikas Ąžuolas;Lietuva;Klaipėda
Įrengimų gamykla;Lietuva;Telšiai
""",
    ),
    "lv": (
        "cp1257 iso8859_13",
        """\
Uzņēmums;Pilsēta;Valsts
SIA Rīgas piena kombināts;Latvija;Rīga
Latvijas Dzelzceļš;Latvija;Jēkabpils
Būvuzņēmums Ķekava;Latvija;Ķekava
Šķērslis un dēli;Latvija;Rēzekne
Liepājas cukurfabrika;Latvija;Liepāja
""",
    ),
    "et": (
        "cp1257 cp1252",
        """\
Ettevõte;Linn;Riik
Pärnu Ehitus OÜ;Eesti;Pärnu
Tallinna Küte;Eesti;Tallinn
Võru Mööbel;Eesti;Võru
Põhja Puit OÜ;Eesti;Jõgeva
Käsitööpood Sõlg;Eesti;Tõrva
""",
    ),
    "vi": (
        "cp1258",
        """\
Company;Country;City
Công ty Cổ phần Sữa Việt Nam;Việt Nam;Thành phố Hồ Chí Minh
Công ty TNHH Hải Sản;Việt Nam;Hải Phòng
Ngân hàng Ngoại thương;Việt Nam;Hà Nội
Xí nghiệp Gạch Đồng Tâm;Việt Nam;Đà Nẵng
""",
    ),
    "th": (
        "cp874",
        """\
บริษัท;จังหวัด;ประเทศ
บริษัท ปูนซีเมนต์ไทย จำกัด;ประเทศไทย;กรุงเทพมหานคร
โรงแรมริมน้ำ;ประเทศไทย;เชียงใหม่
ร้านอาหารครัวไทย;ประเทศไทย;ภูเก็ต
""",
    ),
    "ja": (
        "cp932 euc_jp",
        """\
会社名,住所,電話番号
株式会社ソフィア商事,日本,03-1234-5678
髙島電力開発㈱,日本,06-6123-4567
トヨタ自動車,日本,豊田市
有限会社やまだ製作所,日本,大阪府東大阪市
北海道乳業,日本,札幌市中央区
ｶﾌﾞｼｷｶﾞｲｼｬ ﾔﾏﾀﾞ,日本,横浜市
""",
    ),
    "zh-cn": (
        "gb18030",
        """\
公司名称,城市,电话
北京华丰科技有限公司,中国,北京
上海电气集团,中国,上海
广州市白云区五金厂,中国,广州
深圳市腾飞贸易有限公司,中国,深圳
杭州丝绸进出口公司,中国,杭州
""",
    ),
    "zh-tw": (
        "big5 cp950",
        """\
公司名稱,城市,電話
台灣積體電路製造股份有限公司,台灣,新竹市
統一企業,台灣,台南市
鴻海精密工業,台灣,新北市土城區
大同股份有限公司,台灣,台北市
義美食品,台灣,桃園縣
""",
    ),
    "ko": (
        "cp949 euc_kr",
        """\
회사명,도시,전화번호
삼성전자 주식회사,대한민국,수원시
현대자동차,대한민국,서울특별시
(주)한국무역,대한민국,부산광역시
롯데제과,대한민국,서울
대한통운,대한민국,인천
""",
    ),
}
