"""From the evidence of the first pass to the one encoding that a file is read in, or a refusal that names
the option.
"""

import codecs
from dataclasses import dataclass
from typing import Final

from api.ingest.plausibility import REPLACEMENT, Plausibility, judge, judge_garbling
from api.ingest.refusal import FileRefusedError, undecodable
from api.ingest.scan import Scan

# Of the words with something beyond ASCII, so many may look wrong; where such words stand in few lines, all
# of them may: a file is not refused for what was broken long before in a cell here and there.
MAX_FLAWED_SHARE = 0.34
MIN_FLAWED_WORDS = 3
FEW_LINES_SHARE = 0.05
MAX_INVALID_SHARE = 0.2
# Units of a sample that must be text before two or four zero bytes are taken for an encoding without a mark.
MIN_TEXT_SHARE = 0.7
WIDE: Final = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")

SAY_ENCODING = (
    "Send the form field `encoding` with its name (utf-8, windows-1252, …), or save the file as UTF-8."
)


@dataclass(frozen=True, slots=True)
class Decoding:
    """`source` is option, mark, detected or utf-8. `implausible_words` were seen in a sample of the lines."""

    encoding: str
    confidence: float
    source: str
    implausible_words: int = 0


def decide(scan: Scan, option: str | None) -> Decoding:
    """Raises FileRefusedError undecodable_file for what cannot be text."""
    if option is not None:
        return _check_option(scan, _fitting_mark(option, scan))
    if scan.mark is not None:
        return _check_marked(scan, scan.mark)
    if b"\x00" in scan.start and (wide := _wide_encoding(scan.start)):
        return Decoding(wide, 0.95, "detected")
    if scan.has_escapes and not scan.sample:
        return Decoding("iso2022_jp", 0.95, "detected")
    if scan.valid > scan.invalid or not scan.sample:
        return _check_utf8(scan)
    return _detect(scan)


def _detect(scan: Scan) -> Decoding:
    # Only here: chardet and its models are loaded for the few files that need them.
    from api.ingest.detection import guess

    found = guess(scan.sample)
    if found is None:
        raise undecodable(f"The file is no text in any known encoding. {SAY_ENCODING}")
    judged = _judge(scan, found.encoding)
    if _is_wrong(scan, judged):
        raise undecodable(
            f"The encoding of the file could not be told: read as {found.encoding}, too many words are none. "
            + SAY_ENCODING,
            **_details(found.encoding, judged),
        )
    return Decoding(found.encoding, found.confidence, "detected", _worth_noting(judged))


def _judge(scan: Scan, encoding: str) -> Plausibility:
    text = scan.sample.decode(encoding, "replace")
    garbled = judge_garbling(text)
    # UTF-8 tells by its form whether it is right, so its signs may stand anywhere.
    if encoding.startswith("utf-"):
        return garbled
    return max(judge(text), garbled, key=lambda found: found.flawed)


def _is_wrong(scan: Scan, judged: Plausibility) -> bool:
    many = judged.flawed_share > MAX_FLAWED_SHARE and judged.flawed >= MIN_FLAWED_WORDS
    return many and scan.sampled_share > FEW_LINES_SHARE


def _worth_noting(judged: Plausibility) -> int:
    return judged.flawed if judged.flawed >= MIN_FLAWED_WORDS else 0


def _check_utf8(scan: Scan) -> Decoding:
    judged = _judge(scan, "utf-8")
    if _is_wrong(scan, judged):
        raise undecodable(
            "The text was garbled before it was saved as UTF-8 (Ã¼ for ü). Export it again, or send the form "
            "field `encoding` with utf-8 to take it as it is.",
            **_details("utf-8", judged),
        )
    return Decoding("utf-8", _utf8_confidence(scan), "utf-8", _worth_noting(judged))


def _utf8_confidence(scan: Scan) -> float:
    if not scan.invalid:
        return 1.0
    return round(scan.valid / (scan.valid + scan.invalid), 2)


def _check_marked(scan: Scan, mark: str) -> Decoding:
    if mark == "utf-8-sig":
        if scan.invalid > MAX_INVALID_SHARE * (scan.valid + scan.invalid) and scan.invalid > MIN_FLAWED_WORDS:
            raise undecodable(f"The file claims to be UTF-8 but is not. {SAY_ENCODING}", encoding=mark)
        return Decoding(mark, _utf8_confidence(scan), "mark")
    _refuse_invalid(_whole_units(scan.start), mark, "The file claims to be {} but is not.")
    return Decoding(mark, 1.0, "mark")


def _check_option(scan: Scan, encoding: str) -> Decoding:
    is_wide = encoding.startswith(("utf-16", "utf-32"))
    sample = _whole_units(scan.start) if is_wide else scan.sample
    _refuse_invalid(sample, encoding, "The file is not in {}, which the form field `encoding` says.")
    if encoding.startswith("utf-"):
        return Decoding(encoding, 1.0, "option")
    judged = _judge(scan, encoding)
    if _is_wrong(scan, judged):
        raise undecodable(
            f"Read as {encoding}, as the form field `encoding` says, too many words are none. {SAY_ENCODING}",
            **_details(encoding, judged),
        )
    return Decoding(encoding, 1.0, "option", _worth_noting(judged))


def _refuse_invalid(sample: bytes, encoding: str, message: str) -> None:
    text = sample.decode(encoding, "replace")
    beyond_ascii = sum(character > "\x7f" for character in text)
    invalid = text.count(REPLACEMENT)
    controls = sum(character < " " and character not in "\t\r\n\f\v\x1b\x1f" for character in text)
    if invalid > max(1, MAX_INVALID_SHARE * beyond_ascii) or controls > MAX_INVALID_SHARE * len(text):
        name = encoding.upper()
        raise undecodable(f"{message.format(name)} {SAY_ENCODING}", encoding=encoding)


def _fitting_mark(option: str, scan: Scan) -> str:
    """The caller names the family (utf-16); the mark, or the zero bytes, say which end comes first."""
    if option == "utf-8" and scan.mark == "utf-8-sig":
        return scan.mark
    if option.startswith(("utf-16", "utf-32")) and not (scan.mark and option.startswith(scan.mark)):
        wide = _wide_encoding(scan.start)
        if wide is None or not wide.startswith(option):
            raise undecodable(
                f"The file is not in {option.upper()}, which the form field `encoding` says. {SAY_ENCODING}",
                encoding=option,
            )
        return wide
    return option


def _wide_encoding(start: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: zero bytes stand where ASCII characters have them."""
    whole = _whole_units(start)
    for encoding in WIDE:
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(whole)
        except UnicodeDecodeError:
            continue
        if not text or "\x00" in text:
            continue
        readable = sum(character.isalnum() or character in " \t\r\n,;|.-_@/\"'()&+:" for character in text)
        # The other end first makes letters of what is not: ASCII must be among them.
        if readable > MIN_TEXT_SHARE * len(text) and any(character in "\t\r\n,;|" for character in text):
            return encoding
    return None


def _whole_units(start: bytes) -> bytes:
    return start[: len(start) // 4 * 4] if len(start) > 4 else start


def _details(encoding: str, judged: Plausibility) -> dict[str, object]:
    return {
        "encoding": encoding,
        "implausible_words": judged.flawed,
        "words": judged.words,
        "examples": list(judged.examples),
    }


def undecodable_rows(encoding: str, rows: int, of_rows: int) -> FileRefusedError:
    return undecodable(
        f"Read as {encoding}, {rows:,} of {of_rows:,} rows have bytes that are no text. {SAY_ENCODING}",
        encoding=encoding,
        undecodable_rows=rows,
    )
