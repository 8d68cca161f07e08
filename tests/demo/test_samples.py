"""The sample files keep the size, the variety and every defect that their README lists."""

import csv
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "local" / "samples"
UTF8 = SAMPLES / "companies.csv"
WINDOWS = SAMPLES / "companies-windows-1252.csv"

HEADER = [
    " Account Name ", "Website", "E-Mail", " Phone", "Country", "City ", "Employees", "Industry", "Notes",
]  # fmt: skip
PLACEHOLDERS = {"#n/a", "-", "unknown", "n/a", "none", "tbd"}
ALIASES = {
    "us": "usa", "u.s.": "usa", "u.s.a.": "usa", "united states": "usa", "united states of america": "usa",
    "estados unidos": "usa", "de": "germany", "deutschland": "germany", "allemagne": "germany",
    "d": "germany", "deu": "germany", "united kingdom": "uk", "great britain": "uk", "gb": "uk",
    "u.k.": "uk", "england": "uk", "gbr": "uk", "großbritannien": "uk", "fr": "france",
    "frankreich": "france", "fra": "france", "jp": "japan", "日本": "japan", "japon": "japan",
    "jpn": "japan", "in": "india", "republic of india": "india", "indien": "india", "ch": "switzerland",
    "schweiz": "switzerland", "suisse": "switzerland", "svizzera": "switzerland", "holland": "netherlands",
    "nl": "netherlands", "the netherlands": "netherlands", "nederland": "netherlands",
    "niederlande": "netherlands", "brasil": "brazil", "br": "brazil", "brasilien": "brazil",
    "sverige": "sweden", "se": "sweden", "schweden": "sweden", "italia": "italy", "it": "italy",
    "italien": "italy", "ca": "canada", "kanada": "canada", "kr": "south korea", "korea": "south korea",
    "korea, republic of": "south korea", "republic of korea": "south korea", "대한민국": "south korea",
    "au": "australia", "aus": "australia", "za": "south africa", "rsa": "south africa",
    "südafrika": "south africa", "pl": "poland", "polska": "poland", "polen": "poland", "mx": "mexico",
    "méxico": "mexico", "es": "spain", "españa": "spain", "spanien": "spain", "dk": "denmark",
    "danmark": "denmark", "cn": "china", "p.r. china": "china", "中国": "china", "at": "austria",
    "österreich": "austria", "no": "norway", "norge": "norway", "fi": "finland", "suomi": "finland",
    "tw": "taiwan", "taiwan, r.o.c.": "taiwan", "ie": "ireland", "éire": "ireland", "be": "belgium",
    "belgique": "belgium", "belgië": "belgium", "tr": "turkey", "türkiye": "turkey", "sg": "singapore",
    "pt": "portugal", "cz": "czech republic", "czechia": "czech republic", "česko": "czech republic",
    "nz": "new zealand", "il": "israel", "cl": "chile", "ar": "argentina", "ae": "united arab emirates",
    "uae": "united arab emirates", "românia": "romania", "ph": "philippines", "lu": "luxembourg",
    "magyarország": "hungary", "hong kong sar": "hong kong",
}  # fmt: skip
NOT_A_COUNTRY = {"", "europe", "emea", "xx", *PLACEHOLDERS}


def rows(path: Path) -> list[list[str]]:
    encoding, delimiter = ("utf-8-sig", ",") if path == UTF8 else ("cp1252", ";")
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def records(path: Path) -> list[list[str]]:
    """The rows that have the right number of fields."""
    return [row for row in rows(path)[1:] if len(row) == len(HEADER)]


def countries(path: Path) -> set[str]:
    written = {unicodedata.normalize("NFC", row[4]).strip().lower() for row in records(path)}
    return {ALIASES.get(name, name) for name in written - NOT_A_COUNTRY}


def domain(website: str) -> str | None:
    plain = unicodedata.normalize("NFKC", website).strip().lower()
    host = re.sub(r"^(https?:)?(//)?(www\.)?", "", plain)
    host = re.split(r"[/:?#]", host)[0].rstrip(".")
    return host if re.fullmatch(r"[\w-]+(\.[\w-]+)+", host) else None


def count(path: Path, column: int, pattern: str) -> int:
    return sum(bool(re.search(pattern, row[column])) for row in records(path))


def test_there_are_at_least_five_hundred_records_of_five_hundred_companies() -> None:
    assert 560 <= len(rows(UTF8)) - 1 <= 600
    assert len(records(UTF8)) >= 500
    assert 200 <= len(rows(WINDOWS)) - 1 <= 600


def test_the_companies_come_from_many_countries() -> None:
    assert len(countries(UTF8)) >= 50
    assert len(countries(WINDOWS)) >= 12


def test_the_countries_are_written_in_many_ways() -> None:
    written = {row[4] for row in records(UTF8)}
    assert {"USA", "U.S.A.", "United States", "Deutschland", "Germany", "DE", "UK", "Great Britain"} < written
    assert {"Holland", "Netherlands", "日本", "Europe", "EMEA"} < written
    assert len(written) > 2 * len(countries(UTF8))


def test_the_header_has_stray_spaces() -> None:
    assert rows(UTF8)[0] == rows(WINDOWS)[0] == HEADER


def test_one_file_is_utf8_with_a_byte_order_mark_and_the_other_is_not_utf8() -> None:
    assert UTF8.read_bytes().startswith(b"\xef\xbb\xbf")
    UTF8.read_bytes().decode("utf-8")
    with pytest.raises(UnicodeDecodeError):
        WINDOWS.read_bytes().decode("utf-8")


def test_the_windows_file_uses_bytes_that_iso_8859_1_reads_as_control_characters() -> None:
    assert {0x91, 0x92, 0x93, 0x94, 0x96} & set(WINDOWS.read_bytes())
    assert count(WINDOWS, 0, "[äöüÄÖÜßéãøå]") >= 10


def test_the_lines_end_as_windows_ends_them() -> None:
    for path in (UTF8, WINDOWS):
        lines = path.read_bytes().split(b"\r\n")
        assert len(lines) > len(rows(path))  # line feeds inside values have no carriage return
        assert sum(b"\n" in line for line in lines) >= 5


@pytest.mark.parametrize(
    ("defect", "column", "pattern", "at_least"),
    [
        ("capitals", 0, r"^[^a-z]*[A-Z]{3}[^a-z]*$", 30),
        ("small letters", 0, r"^[^A-Z]*[a-z]{3}[^A-Z]*$", 25),
        ("doubled spaces", 0, r"^  \S+  \S", 20),
        ("non-breaking space", 0, "\u00a0", 10),
        ("zero-width space", 0, "\u200b", 4),
        ("tab", 0, "\t", 4),
        ("full-width name", 0, "[\uff21-\uff5a]", 8),
        ("full-width digits", 3, "[\uff10-\uff19]", 5),
        ("HTML entity", 0, "&amp;", 8),
        ("typographic apostrophe", 0, "\u2019", 2),
        ("quoted name", 0, '^".*"$', 8),
        ("UTF-8 read as Windows-1252", 0, "Ã[©¼]", 2),
        ("own script", 0, "[\u3040-\u9fff\uac00-\ud7af]", 5),
        ("no name", 0, r"^(-|#N/A|unknown|)$", 7),
        ("bare domain", 1, r"^[\w-]+\.\w{2,}$", 60),
        ("utm parameters", 1, r"\?utm_", 60),
        ("path and fragment", 1, r"/en/about-us\.html", 30),
        ("capital letters in the address", 1, r"WWW\.", 30),
        ("port", 1, r":443/$", 5),
        ("no scheme but slashes", 1, "^//", 5),
        ("placeholder for a website", 1, r"^(#N/A|-|unknown|n/a|see notes|none|tbd)$", 12),
        ("broken website", 1, r"^(https?://|www\.|htp:/www.*|.*[^.],com|http://www\.\w+)$", 8),
        ("no website", 1, "^$", 20),
        ("international phone", 3, r"^\+\d", 100),
        ("national phone", 3, r"^\(?0[1-9]", 60),
        ("American phone", 3, r"^\(\d{3}\) \d{3}-\d{4}$", 10),
        ("trunk zero in brackets", 3, r"\(0\)", 20),
        ("double zero", 3, "^00[1-9]", 30),
        ("dots", 3, r"\d\.\d+\.\d", 20),
        ("slash", 3, r"\d/\d", 10),
        ("phone as text or placeholder", 3, r"^(tbd|-|#N/A|unknown|n/a|call reception|see website)$", 10),
        ("phone that a spreadsheet made a number", 3, r"^\d\.\d+E\+\d+$", 1),
        ("extension", 3, "ext", 4),
        ("thousands with a comma", 6, r"^\d{1,3}(,\d{3})+$", 40),
        ("thousands with a point", 6, r"^\d{1,3}(\.\d{3})+$", 40),
        ("thousands with a non-breaking space", 6, r"^\d{1,3}(\u00a0\d{3})+$", 10),
        ("thousands as k", 6, r"^\d+k$", 15),
        ("head count as decimal", 6, r"\.0$", 8),
        ("broken head count", 6, r"^(10k\+|many|~|5001-10000|>1000|#N/A|-|unknown|n/a)$", 20),
        ("mailto", 2, "^mailto:", 8),
        ("display name", 2, "<.+@.+>", 8),
        ("two addresses", 2, ";", 8),
        ("broken e-mail", 2, r"^(#N/A|-|unknown|n/a|none|info@|@.*|info .*|.*\(at\).*|.*@.*,.*)$", 12),
        ("line breaks", 8, "\n", 20),
        ("quotes in quotes", 8, '"', 20),
    ],
)
def test_each_defect_occurs(defect: str, column: int, pattern: str, at_least: int) -> None:
    assert count(UTF8, column, pattern) >= at_least, defect


def test_accents_occur_composed_and_decomposed() -> None:
    names = [row[0] for row in records(UTF8)]
    decomposed = [name for name in names if unicodedata.normalize("NFC", name) != name]
    composed = [name for name in names if unicodedata.normalize("NFD", name) != name]
    assert len(decomposed) >= 10
    assert len(composed) >= 10


def test_some_records_have_the_wrong_number_of_fields() -> None:
    widths = Counter(len(row) for row in rows(UTF8)[1:])
    assert sum(n for width, n in widths.items() if width > len(HEADER)) == 4
    assert sum(n for width, n in widths.items() if width < len(HEADER)) == 3
    assert sum(len(row) > len(HEADER) for row in rows(WINDOWS)) == 2


def test_some_records_are_empty() -> None:
    for path in (UTF8, WINDOWS):
        assert sum(not any(row) for row in records(path)) == 2


def test_companies_occur_twice_in_other_writing() -> None:
    written: dict[str, list[list[str]]] = {}
    for row in records(UTF8):
        if found := domain(row[1]):
            written.setdefault(found, []).append(row)
    again = [copy for copies in written.values() for copy in copies[1:]]
    assert 60 <= len(again) <= 80
    to_the_letter = sum(copy == copies[0] for copies in written.values() for copy in copies[1:])
    assert 1 <= to_the_letter <= 10


def test_no_person_is_named_in_an_address() -> None:
    for path in (UTF8, WINDOWS):
        for row in records(path):
            found = re.findall(r"([\w.+-]+)@", row[2].lower())
            assert set(found) <= {"info", "press", "contact"}, row
