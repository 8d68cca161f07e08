"""The first pass over a file: compression, limits, other kinds of files, evidence for its encoding."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib

import pytest

from api.ingest.compression import BLOCK_BYTES, RATIO_FREE_BYTES
from api.ingest.decoding import decide
from api.ingest.job import ReadLimits
from api.ingest.refusal import FileRefusedError
from api.ingest.scan import SAMPLE_BYTES, Scan, scan
from tests.unit.files import read_csv, refusal

TEXT = "name,city\nJürgen,Köln\nŁukasz,Łódź\n"
LIMITS = ReadLimits(max_bytes=10_000_000)


def scan_bytes(content: bytes, limits: ReadLimits = LIMITS) -> Scan:
    return scan(io.BytesIO(content), limits)


def refused(content: bytes, limits: ReadLimits = LIMITS) -> str:
    with pytest.raises(FileRefusedError) as raised:
        scan_bytes(content, limits)
    return raised.value.code


def test_hash_and_size_are_of_the_content_however_it_was_compressed() -> None:
    content = TEXT.encode() * 100
    scans = [scan_bytes(content), *(scan_bytes(gzip.compress(content, level)) for level in (1, 9))]
    assert {(found.sha256, found.size) for found in scans} == {
        (hashlib.sha256(content).hexdigest(), len(content))
    }


def test_gzip_of_several_members_is_one_content() -> None:
    content = gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n")
    assert read_csv(content).records == {"1": {"a": "1", "b": "2"}}


def test_gzip_bomb_is_stopped_at_the_limit_of_its_content() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    assert len(bomb) < 60_000
    assert refused(bomb, ReadLimits(max_bytes=1_000_000)) == "payload_too_large"


def test_gzip_bomb_is_stopped_at_the_ratio_before_the_limit_of_its_content() -> None:
    bomb = gzip.compress(b"a\n" * 25_000_000)
    assert refused(bomb, ReadLimits(max_bytes=1_000_000_000)) == "payload_too_large"
    assert (
        refused(gzip.compress(b"\n" * (RATIO_FREE_BYTES + BLOCK_BYTES)), ReadLimits()) == "payload_too_large"
    )


def test_a_small_file_may_be_as_repetitive_as_it_likes() -> None:
    assert scan_bytes(gzip.compress(b"a,b\n" * 2_000_000)).size == 8_000_000


def test_limit_is_inclusive() -> None:
    assert scan_bytes(b"x" * 1000, ReadLimits(max_bytes=1000)).size == 1000
    assert refused(b"x" * 1001, ReadLimits(max_bytes=1000)) == "payload_too_large"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        gzip.compress(b"", mtime=0),
        gzip.compress(TEXT.encode(), mtime=0)[:-4],
        gzip.compress(TEXT.encode(), mtime=0)[:12],
        gzip.compress(b"x" * 1000, mtime=0)[:15] + b"\xff\xff\xff\xff",
        b"\x1f\x8b",
        b"\x1f\x8b" + zlib.compress(b"no gzip"),
    ],
    ids=repr,
)
def test_files_that_cannot_be_read_at_all_are_refused(content: bytes) -> None:
    assert refused(content) == "unreadable_file"


def archive(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name, content in parts.items():
            opened.writestr(name.replace("__", "/"), content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 500, "xls"),
        (b"%PDF-1.7\n", "pdf"),
        (b"\x89PNG\r\n", "picture"),
        (b"PAR1", "parquet"),
        (b"7z\xbc\xaf\x27\x1c", "archive"),
        (archive(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"), "ods"),
        (archive(mimetype=b"application/vnd.oasis.opendocument.text"), "odf"),
        (archive(xl__workbook_bin=b"x", **{"xl__workbook.bin": b"x"}), "xlsb"),
        (archive(**{"Index__Document.iwa": b"x"}), "numbers"),
        (archive(**{"word__document.xml": b"x"}), "docx"),
        (archive(**{"companies.csv": b"a,b\n1,2\n"}), "zip"),
        (gzip.compress(archive(**{"companies.csv": b"a,b\n"}), mtime=0), "zip"),
        (b"<html><body><table><tr><td>a</td></tr></table></body></html>", "html"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html>\n<html>", "html"),
        (b"<!-- exported --> <table border=1>", "html"),
        ("<html>".encode("utf-16"), "html"),
        (b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">', "xml"),
        (b'<?xml version="1.0"?><companies/>', "xml"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_other_kinds_of_files_are_named_and_how_to_export_is_said(content: bytes, found: str) -> None:
    refused_for = refusal(content)
    assert (refused_for.code, refused_for.details["found"]) == ("unreadable_file", found)
    assert refused_for.message.endswith(".")


def test_a_broken_archive_is_refused() -> None:
    assert refusal(archive(**{"a.csv": b"x" * 1000})[:-30]).code == "unreadable_file"
    assert refusal(b"PK\x03\x04").code == "unreadable_file"


# The encoding ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "encoding", "source"),
    [
        (TEXT.encode(), "utf-8", "utf-8"),
        (b"a,b\n1,2\n", "utf-8", "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig", "mark"),
        (TEXT.encode("utf-16"), "utf-16", "mark"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16", "mark"),
        (TEXT.encode("utf-32"), "utf-32", "mark"),
        (TEXT.encode("utf-16-le"), "utf-16-le", "detected"),
        (TEXT.encode("utf-16-be"), "utf-16-be", "detected"),
        (TEXT.encode("utf-32-le"), "utf-32-le", "detected"),
        (TEXT.encode("utf-32-be"), "utf-32-be", "detected"),
        ("公司,城市\n北京科技,北京\n".encode("utf-16-le"), "utf-16-le", "detected"),
        ("公司,城市\n北京科技,北京\n".encode("utf-16-be"), "utf-16-be", "detected"),
        ("会社名,住所\n山田商事,東京\n".encode("iso2022_jp"), "iso2022_jp", "detected"),
    ],
)
def test_unicode_is_told_with_and_without_a_mark(content: bytes, encoding: str, source: str) -> None:
    read = read_csv(content)
    assert (read.read_as["encoding"], read.read_as["encoding_source"]) == (encoding, source)
    assert read.read_as["encoding_confidence"] > 0.9
    assert "\x00" not in "".join(read.fields + read.rows[0])
    assert read.notes == {}


def test_a_late_umlaut_counts_as_much_as_an_early_one() -> None:
    content = b"name\n" + b"x\n" * (2 * BLOCK_BYTES) + "Müller\n".encode("cp1252")
    assert decide(scan_bytes(content), None).encoding == "cp1252"


def test_letters_beyond_ascii_are_looked_for_in_the_whole_file() -> None:
    early = "Café Hélène\n".encode("cp1252") * 20_000
    late = "Société Générale\n".encode("cp1252") * 20_000
    sample = scan_bytes(b"name\n" + early + b"x" * BLOCK_BYTES + b"\n" + late).sample
    assert len(sample) <= SAMPLE_BYTES + 2000
    assert b"Soci" in sample


def test_one_broken_byte_does_not_make_a_utf8_file_windows_1252() -> None:
    read = read_csv(TEXT.encode() + b"broken \xe4,row\n")
    assert read.read_as["encoding"] == "utf-8"
    assert read.rows[1:] == [["Łukasz", "Łódź"], ["broken \ufffd", "row"]]


@pytest.mark.parametrize("position", range(BLOCK_BYTES - 3, BLOCK_BYTES + 1))
def test_a_character_across_two_blocks_is_no_error(position: int) -> None:
    read = read_csv(b"a\n" + b"x" * (position - 3) + b"\n" + "€\n".encode())
    assert (read.rows[-1], read.notes) == (["€"], {})


def test_a_character_cut_off_at_the_end_of_the_file_is_noted() -> None:
    read = read_csv("a\naäöü\n".encode() + b"x\xe2\x82")
    assert read.rows == [["aäöü"], ["x\ufffd"]]
    assert read.notes == {"undecodable_cells": 1}


@pytest.mark.parametrize("content", [TEXT.encode("utf-16")[:-1], b"\xff\xfea\x00\n\x00\x00\xd8b\x00\n\x00"])
def test_half_a_utf16_character_costs_its_cell_a_note(content: bytes) -> None:
    assert read_csv(content).notes == {"undecodable_cells": 1}


# What cannot be text -----------------------------------------------------------------------------------

GARBLED = "name,city\nMÃ¼ller,KÃ¶ln\nJÃ¼rgen,DÃ¼sseldorf\n"


@pytest.mark.parametrize(
    ("content", "option"),
    [
        (bytes(range(1, 256)) * 20, None),
        (GARBLED.encode(), None),
        (TEXT.encode(), "cp1252"),
        (TEXT.encode("cp1250"), "utf-8"),
        (TEXT.encode("cp1250"), "utf-16"),
        (TEXT.encode(), "utf-16"),
        (TEXT.encode(), "utf-32-be"),
        ("会社名,住所\n山田商事株式会社,東京都千代田区\n鈴木製作所,大阪市北区\n".encode("cp932"), "cp1252"),
        (b"\xff\xfe" + b"\x00\xd8" * 50, None),
    ],
    ids=lambda value: str(value)[:24],
)
def test_text_that_cannot_be_right_is_refused_with_the_option_named(
    content: bytes, option: str | None
) -> None:
    refused_for = refusal(content, encoding=option)
    assert refused_for.code == "undecodable_file"
    assert "`encoding`" in refused_for.message


def test_text_that_was_garbled_before_is_taken_when_the_caller_says_so() -> None:
    read = read_csv(GARBLED, encoding="utf-8")
    assert read.rows[0] == ["MÃ¼ller", "KÃ¶ln"]
    assert read.read_as["encoding_source"] == "option"


def test_a_few_garbled_cells_do_not_refuse_a_file_but_are_noted() -> None:
    read = read_csv(GARBLED + "Müller AG,Bonn\nACME,US\n" * 100)
    assert read.records["1"] == {"name": "MÃ¼ller", "city": "KÃ¶ln"}
    assert read.notes == {"implausible_words": 4}


def test_a_file_whose_rows_are_mostly_undecodable_is_refused_at_its_end() -> None:
    good = "ä,ö\n" * 1000
    bad = b"\xff,\xfe\n" * 400
    assert refusal(b"a,b\n" + good.encode() + bad).code == "undecodable_file"
    assert len(read_csv(b"a,b\n" + good.encode() + bad[: 4 * 100]).records) == 1100


@pytest.mark.parametrize(
    ("option", "content", "used"),
    [
        ("cp1250", TEXT.encode("cp1250"), "cp1250"),
        ("mac-roman", "name\nMüller\n".encode("mac_roman"), "mac-roman"),
        ("utf-8", TEXT.encode("utf-8-sig"), "utf-8-sig"),
        ("utf-16", TEXT.encode("utf-16-be"), "utf-16-be"),
        ("utf-16", TEXT.encode("utf-16"), "utf-16"),
        ("cp932", "会社,都市\n髙島㈱,東京\n".encode("cp932"), "cp932"),
    ],
)
def test_the_caller_s_encoding_is_used(option: str, content: bytes, used: str) -> None:
    read = read_csv(content, encoding=option)
    assert (read.read_as["encoding"], read.read_as["encoding_source"]) == (used, "option")
    assert read.read_as["encoding_confidence"] == 1
    assert read.rows == read_csv(content.decode(used)).rows
