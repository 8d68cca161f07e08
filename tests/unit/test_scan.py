"""One pass over an uploaded file finds its encoding, compression and size."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib

import pytest

from api.errors import ApiError
from api.ingest.scan import BLOCK_BYTES, Scan, open_text, scan

TEXT = "name,city\nJürgen,Köln\nŁukasz,Łódź\n"


def scan_bytes(content: bytes, max_bytes: int = 10_000_000) -> Scan:
    return scan(io.BytesIO(content), max_bytes)


def refusal(content: bytes, max_bytes: int = 10_000_000) -> str:
    with pytest.raises(ApiError) as raised:
        scan_bytes(content, max_bytes)
    return raised.value.code


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (b"a,b\n1,2\n", "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-32"), "utf-32"),
    ],
)
def test_encoding_is_found_and_the_text_comes_back(content: bytes, encoding: str) -> None:
    scanned = scan_bytes(content)
    assert (scanned.encoding, scanned.errors) == (encoding, "strict")
    text = open_text(io.BytesIO(content), scanned).read()
    assert text == (TEXT if "J" in text else "a,b\n1,2\n")


def test_a_file_that_is_not_utf8_is_read_as_windows_1252() -> None:
    content = "name;price\nJürgen;5 €\n„Müller“;—\n".encode("cp1252")
    scanned = scan_bytes(content)
    assert scanned.encoding == "cp1252"
    assert open_text(io.BytesIO(content), scanned).read().endswith("„Müller“;—\n")


def test_a_late_umlaut_counts_as_much_as_an_early_one() -> None:
    content = b"name\n" + b"x" * (3 * BLOCK_BYTES) + "\nMüller\n".encode("cp1252")
    assert scan_bytes(content).encoding == "cp1252"


def test_one_broken_byte_does_not_make_a_utf8_file_windows_1252() -> None:
    content = TEXT.encode() + b"broken \xe4,row\n"
    scanned = scan_bytes(content)
    assert (scanned.encoding, scanned.errors) == ("utf-8", "surrogateescape")
    assert "Łódź" in open_text(io.BytesIO(content), scanned).read()


@pytest.mark.parametrize("position", range(BLOCK_BYTES - 3, BLOCK_BYTES + 1))
def test_a_character_across_two_blocks_is_no_error(position: int) -> None:
    scanned = scan_bytes(b"x" * position + "€".encode())
    assert (scanned.encoding, scanned.errors) == ("utf-8", "strict")


def test_a_character_cut_off_at_the_end_of_the_file_is_an_undecodable_byte() -> None:
    scanned = scan_bytes("aäöü".encode() + b"\xe2\x82")
    assert (scanned.encoding, scanned.errors) == ("utf-8", "surrogateescape")


def test_hash_and_size_do_not_depend_on_the_compression() -> None:
    content = TEXT.encode() * 100
    scans = [scan_bytes(content), *(scan_bytes(gzip.compress(content, level)) for level in (1, 9))]
    assert {(found.sha256, found.size) for found in scans} == {
        (hashlib.sha256(content).hexdigest(), len(content))
    }
    assert [found.compressed for found in scans] == [False, True, True]


def test_gzip_of_several_members_is_one_content() -> None:
    content = gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n")
    assert open_text(io.BytesIO(content), scan_bytes(content)).read() == "a,b\n1,2\n"


def test_gzip_bomb_is_stopped_at_the_limit_of_its_content() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    assert len(bomb) < 60_000
    assert refusal(bomb, 1_000_000) == "payload_too_large"


def test_limit_is_inclusive() -> None:
    assert scan_bytes(b"x" * 1000, 1000).size == 1000
    assert refusal(b"x" * 1001, 1000) == "payload_too_large"


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
        TEXT.encode("utf-16")[:-1],
        b"\xff\xfe\x00\xd8a\x00",
    ],
    ids=repr,
)
def test_files_that_cannot_be_read_at_all_are_refused(content: bytes) -> None:
    assert refusal(content) == "unreadable_file"


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04rest",
        b"\xd0\xcf\x11\xe0",
        b"%PDF-1.7",
        b"\x89PNG\r\n",
        gzip.compress(b"PK\x03\x04", mtime=0),
    ],
)
def test_other_kinds_of_files_are_named(content: bytes) -> None:
    assert refusal(content) == "unsupported_media_type"
