"""Which encoding bytes are in that are not UTF-8.

Three things are weighed for each candidate: what chardet's statistics of byte pairs say, whether words look
as people write them (`plausibility.py`), and whether letters beyond ASCII stand where some language has
them (`letters.py`).
"""

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from chardet import detect_all

from api.ingest.letters import NEUTRAL, likelihood
from api.ingest.plausibility import REPLACEMENT, judge

# How usual an encoding is in exports of business software: it decides between two that fit alike.
CANDIDATES: Final = {
    "cp1252": 1.0,
    "cp1250": 1.0,
    "cp1251": 1.0,
    "cp1253": 1.0,
    "cp1254": 0.97,
    "cp1255": 1.0,
    "cp1256": 1.0,
    "cp1257": 0.97,
    "cp1258": 0.97,
    "cp874": 1.0,
    "iso8859-2": 0.96,
    "iso8859-4": 0.6,
    "iso8859-5": 0.9,
    "iso8859-6": 0.9,
    "iso8859-7": 0.98,
    "iso8859-8": 0.93,
    "iso8859-9": 0.9,
    "iso8859-13": 0.9,
    "iso8859-15": 0.93,
    "mac-roman": 0.87,
    "mac-latin2": 0.8,
    "mac-cyrillic": 0.97,
    "mac-greek": 0.8,
    "mac-turkish": 0.8,
    "mac-iceland": 0.8,
    "koi8-r": 0.9,
    "koi8-u": 0.9,
    "cp437": 0.7,
    "cp850": 0.88,
    "cp852": 0.85,
    "cp866": 0.9,
    "cp932": 1.0,
    "euc_jis_2004": 0.99,
    "gb18030": 1.0,
    "big5hkscs": 1.0,
    "cp949": 1.0,
}
USUAL_FIRST: Final = list(CANDIDATES)
# The usual member of a family, where it reads the whole sample as well.
PLAIN_FORM: Final = {"euc_jis_2004": "euc_jp", "big5hkscs": "cp950"}
# Bytes of words that are not all ASCII. The second byte of a character may be an ASCII letter or sign.
WORD = re.compile(rb'[^\s,;|"]*[\x80-\xff][^\s,;"]*')
MAX_WORD_BYTES = 24_000
MAX_INVALID_SHARE = 0.02
NOT_FOUND = "ascii"


@dataclass(frozen=True, slots=True)
class Guess:
    """`confidence` is high when no other encoding that reads the words otherwise comes near."""

    encoding: str
    confidence: float


@dataclass(frozen=True, slots=True)
class _Fit:
    encoding: str
    score: float
    text: str
    flawed_share: float


def guess(sample: bytes) -> Guess | None:
    """The encoding of lines that hold bytes beyond ASCII; None when no candidate reads them."""
    words = b" ".join(_whole_words(sample))
    of_sample, of_words = _Statistics(sample), _Statistics(words)
    fits = [fit for name in CANDIDATES if (fit := _fit(name, words, of_sample, of_words)) is not None]
    if not fits:
        return None
    fits.sort(key=lambda fit: fit.score, reverse=True)
    # Of those that read the words alike, the most usual one: the rest of the file is more likely in that.
    alike = (fit for fit in fits if fit.text == fits[0].text)
    best = min(alike, key=lambda fit: USUAL_FIRST.index(fit.encoding))
    rival = next((fit for fit in fits if fit.text != best.text), None)
    lead = fits[0].score - rival.score if rival else 5.0
    confidence = (1 - 0.4 * math.exp(-1.5 * lead)) * (1 - best.flawed_share)
    return Guess(_plain_form(best.encoding, sample), round(confidence, 2))


def _whole_words(sample: bytes) -> list[bytes]:
    words: dict[bytes, None] = {}
    size = 0
    for found in WORD.finditer(sample):
        if found[0] not in words:
            words[found[0]] = None
            size += len(found[0])
            if size > MAX_WORD_BYTES:
                break
    return list(words)


def _fit(name: str, words: bytes, of_sample: "_Statistics", of_words: "_Statistics") -> _Fit | None:
    text = words.decode(name, "replace")
    if text.count(REPLACEMENT) > max(1, MAX_INVALID_SHARE * len(text)):
        return None
    similarities = of_sample.similarity(name), of_words.similarity(name)
    if not any(similarities):
        return None
    flawed_share = judge(text).flawed_share
    score = (
        math.log(similarities[0] + 0.001)
        + 0.5 * math.log(similarities[1] + 0.001)
        + 0.5 * (likelihood(text) if _is_latin(text) else NEUTRAL)
        + 4 * math.log(1.02 - flawed_share)
        + 3 * math.log(CANDIDATES[name])
    )
    return _Fit(name, score, text, flawed_share)


def _is_latin(text: str) -> bool:
    letters = [character for character in text[:5_000] if character > "\x7f" and character.isalpha()]
    return 2 * sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters) > len(letters)


class _Statistics:
    """chardet's similarity of bytes to its models. It drops what cannot decode all of them: a stray byte
    decides less here.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._known = self._ask(content, list(CANDIDATES))

    def similarity(self, name: str) -> float:
        if name not in self._known:
            clean = self._content.decode(name, "ignore").encode(name, "ignore")
            self._known[name] = self._ask(clean, [name]).get(name, 0.0)
        return self._known[name]

    @staticmethod
    def _ask(content: bytes, names: list[str]) -> dict[str, float]:
        if not content:
            return {}
        found = detect_all(
            content,
            ignore_threshold=True,
            include_encodings=[*names, NOT_FOUND],
            no_match_encoding=NOT_FOUND,
            compat_names=False,
        )
        return {str(one["encoding"]): one["confidence"] for one in found}


def _plain_form(name: str, sample: bytes) -> str:
    plain = PLAIN_FORM.get(name, name)
    try:
        return plain if sample.decode(plain) == sample.decode(name) else name
    except UnicodeDecodeError:
        return name
