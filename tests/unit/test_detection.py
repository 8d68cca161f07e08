"""Which encoding small files are taken for: in 35 languages, in the encodings that programs write them in."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pytest

from api.ingest.detection import guess
from api.ingest.encodings import CODECS, find_codec
from api.ingest.letters import NEUTRAL, likelihood
from api.ingest.plausibility import is_flawed, judge, judge_garbling
from tests.unit.company_names import LANGUAGES

MIN_SHARE = 0.98
# A detection that is this sure may hardly ever be wrong.
SURE = 0.85
LEAST_FILES = 60


def small_files() -> Iterator[tuple[str, str, str, bytes]]:
    """Files of a header and two rows, or of all rows: language, encoding, text, bytes."""
    for language, (encodings, lines) in LANGUAGES.items():
        header, *rows = lines.splitlines()
        for encoding in encodings.split():
            for some in (rows[:2], rows[2:4], rows):
                text = writable("".join(f"{line}\r\n" for line in [header, *some]), encoding)
                content = text.encode(encoding)
                if not content.isascii():
                    yield language, encoding, text, content


def writable(text: str, encoding: str) -> str:
    """Vietnamese is written in Windows-1258 with accents of their own; what an encoding lacks is left out."""
    if encoding == "cp1258":
        text = "".join(_with_own_accents(character) for character in text)
    return "".join(character for character in text if character.encode(encoding, "ignore"))


def _with_own_accents(character: str) -> str:
    if character.encode("cp1258", "ignore"):
        return character
    parts = unicodedata.normalize("NFD", character)
    letter, marks = parts[0], parts[1:]
    apart = []
    for mark in marks:
        composed = unicodedata.normalize("NFC", letter + mark)
        if len(composed) == 1 and composed.encode("cp1258", "ignore"):
            letter = composed
        else:
            apart.append(mark)
    return letter + "".join(apart)


def test_nearly_all_small_files_are_read_right_and_the_sure_ones_all() -> None:
    wrong, wrong_though_sure, count = [], [], 0
    for name, encoding, text, content in small_files():
        found = guess(content)
        count += 1
        if found is not None and content.decode(found.encoding, "replace") == text:
            continue
        wrong.append((name, encoding, found))
        if found is not None and found.confidence >= SURE:
            wrong_though_sure.append((name, encoding, found))
    share = 1 - len(wrong) / count
    print(f"\n{count} files, {share:.1%} read right; wrong: {wrong}")
    assert count >= LEAST_FILES
    assert share >= MIN_SHARE, wrong
    assert wrong_though_sure == []


@pytest.mark.parametrize(
    ("text", "encoding", "stray"),
    [
        ("Café Nord,FR\r\nRed Cross,the District.{} and more\r\nZoë & Söhne,DE\r\n", "cp1252", b"\x9d"),
        ("Müller,Köln\r\nGrün,Zürich {} x\r\nBäcker,Düsseldorf\r\n", "cp1252", b"\x81"),
        ("Zakłady Mięsne,Łuków\r\nŚwieży Świat,Kraków {}\r\nŻabka,Gdańsk\r\n", "cp1250", b"\x98"),
        ("株式会社ソフィア商事,東京\r\n髙島能力開発,大阪 {}\r\n山田製作所,名古屋\r\n", "cp932", b"\xfd"),
        ("삼성전자 주식회사,수원\r\n현대자동차,서울 {}\r\n한국무역,부산\r\n", "cp949", b"\xff"),
    ],
)
def test_one_stray_byte_does_not_change_the_encoding(text: str, encoding: str, stray: bytes) -> None:
    content = text.encode(encoding).replace(b"{}", stray)
    found = guess(content)
    assert found is not None
    assert content.decode(found.encoding, "replace") == content.decode(encoding, "replace")


def test_the_more_usual_of_two_encodings_that_read_alike_is_named() -> None:
    found = guess("Müller,Köln\r\n".encode("cp1252"))
    assert found is not None
    assert found.encoding == "cp1252"


def test_what_is_no_text_is_not_held_for_certain() -> None:
    found = guess(bytes(range(128, 256)) * 8)
    assert found is None or found.confidence < 0.7


# The evidence ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word", ["Zak³ady", "Gda±sk", "SociŽtŽ", "Libertа", "¯abka", "©koda", "îà¨b", "T¿mrer"]
)
def test_words_that_nobody_writes_are_flawed(word: str) -> None:
    assert is_flawed(word)


@pytest.mark.parametrize(
    "word",
    [
        "Müller",
        "d’Électricité",
        "„Firma“",
        "ŁÓDŹ",
        "m²",
        "Ł",
        "株式会社ソフィア",
        "Ｃｏ",
        "ÖBB-Werk",
        "Co™",
        "Москва",
        "ملک",
    ],
)
def test_words_that_people_write_are_not(word: str) -> None:
    assert not is_flawed(word)


def test_utf8_that_was_taken_for_windows_1252_is_garbled() -> None:
    assert judge_garbling("MÃ¼ller KÃ¶ln â€“ x").flawed == 3
    assert judge_garbling("Müller São Paulo Ålesund ÄÖÜ").flawed == 0


def test_examples_are_few_and_short() -> None:
    judged = judge(" ".join("Zak³ady" + letter * 50 for letter in "abcdefghijk"))
    assert len(judged.examples) == 5
    assert all(len(example) <= 40 for example in judged.examples)


def test_letters_are_likelier_where_a_language_has_them() -> None:
    assert likelihood("Bäckerei Größer Düsseldorf") > likelihood("B‰ckerei Grˆþer D¸sseldorf") - 1
    assert likelihood("Città Società") > likelihood("Cittā Societā")
    assert likelihood("Zakłady Mięsne") > likelihood("Zak³ady Miêsne")
    assert likelihood("plain") == NEUTRAL


# Names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("Windows-1252", "cp1252"),
        ("win-1250", "cp1250"),
        ("1250", "cp1250"),
        ("latin-1", "cp1252"),
        ("ISO-8859-2", "iso8859-2"),
        ("MacRoman", "mac-roman"),
        ("x-mac-roman", "mac-roman"),
        ("macintosh", "mac-roman"),
        ("UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("UTF-16LE", "utf-16-le"),
        ("Shift_JIS", "cp932"),
        ("sjis", "cp932"),
        ("CP932", "cp932"),
        ("GBK", "gb18030"),
        ("GB18030", "gb18030"),
        ("Big5", "big5"),
        ("EUC-KR", "cp949"),
        ("EUC-JP", "euc_jp"),
        ("KOI8-R", "koi8-r"),
        ("koi8r", "koi8-r"),
        ("IBM850", "cp850"),
        ("ASCII", "utf-8"),
    ],
)
def test_an_encoding_may_be_named_as_programs_name_it(name: str, codec: str) -> None:
    assert find_codec(name) == codec


@pytest.mark.parametrize(
    "name", ["rot13", "base64", "idna", "utf-7", "unicode_escape", "", "klingon", "x\x00", "a" * 999]
)
def test_what_is_no_encoding_of_files_is_not_one(name: str) -> None:
    assert find_codec(name) is None


def test_every_codec_is_one_that_python_has_by_that_name() -> None:
    assert all("a".encode(codec) for codec in CODECS)
    assert {find_codec(codec) for codec in CODECS} <= CODECS
