"""How much of a text looks like text: what a wrong encoding leaves in words, and nobody writes."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice, pairwise
from typing import Final

# A word that has something beyond ASCII: letters, and every sign that is not ASCII.
WORD = re.compile(r"[^\x00-\x40\x5b-\x60\x7b-\x7f\s]*[^\x00-\x7f\s][^\x00-\x40\x5b-\x60\x7b-\x7f\s]*")
MAX_WORDS = 5_000
MAX_EXAMPLES = 5

# Signs that stand between letters in honest text, before a word, and after one.
JOINING: Final = frozenset("’‘ʼ´`·‐‑–—-\u00ad\u200c\u200d\u2060\ufeff′")
OPENING: Final = frozenset("„“”«»‹›‚‘’¿¡…–—•·§€£$¥†*→●■▪\u200e\u200f\ufeff")
CLOSING: Final = frozenset("„“”«»‹›‚‘’…–—•·™®©ªº°²³€£¥†′″½¼¾\u200e\u200f\ufeff!?")

REPLACEMENT: Final = "\ufffd"
# What UTF-8 leaves behind when it is taken for Windows-1252: a lead byte, then a continuation byte.
GARBLED = re.compile("[\u00c2-\u00df\u00e0-\u00f4][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]")

SCRIPTS: Final = (
    ("LATIN", "latin"),
    ("FEMININE ORDINAL", "latin"),
    ("MASCULINE ORDINAL", "latin"),
    ("FULLWIDTH", "latin"),
    ("MICRO SIGN", "latin"),
    ("OHM SIGN", "latin"),
    ("CJK", "east asian"),
    ("HIRAGANA", "east asian"),
    ("KATAKANA", "east asian"),
    ("HALFWIDTH", "east asian"),
    ("HANGUL", "east asian"),
    ("BOPOMOFO", "east asian"),
)


@dataclass(frozen=True, slots=True)
class Plausibility:
    """`words` have a character beyond ASCII; `flawed` ones look as no language writes."""

    words: int
    flawed: int
    examples: tuple[str, ...]

    @property
    def flawed_share(self) -> float:
        return self.flawed / self.words if self.words else 0.0


def judge(text: str) -> Plausibility:
    return _count(text, lambda found: is_flawed(found[0][:100]) or _is_stray(found))


def judge_garbling(text: str) -> Plausibility:
    """As `judge`, for text that was UTF-8, was taken for Windows-1252, and was written as that: `MÃ¼ller`."""
    return _count(text, lambda found: is_garbled(found[0][:100]))


def _count(text: str, is_bad: Callable[[re.Match[str]], bool]) -> Plausibility:
    words = flawed = 0
    examples: dict[str, None] = {}
    for found in islice(WORD.finditer(text), MAX_WORDS):
        words += 1
        if is_bad(found):
            flawed += 1
            if len(examples) < MAX_EXAMPLES:
                examples[found[0][:40]] = None
    return Plausibility(words, flawed, tuple(examples))


def _is_stray(found: re.Match[str]) -> bool:
    """One letter right after the end of a sentence and before a space: `District.ť and`."""
    text = found.string
    start, end = found.span()
    after_sentence = start > 0 and text[start - 1] in ".!?)"
    return end - start == 1 and found[0].isalpha() and after_sentence and text[end : end + 1].isspace()


def is_garbled(word: str) -> bool:
    if not GARBLED.search(word):
        return False
    try:
        return not is_flawed(word.encode("cp1252").decode("utf-8"))
    except UnicodeError:
        # Windows-1252 lacks five bytes, so not all of it comes back.
        return len(GARBLED.findall(word)) > 1


@lru_cache(maxsize=20_000)
def is_flawed(word: str) -> bool:
    kinds = [_kind(character) for character in word]
    if "bad" in kinds:
        return True
    scripts = {kind for kind in kinds if kind not in ("sign", "mark")}
    if len(scripts) > 1 and not scripts <= {"latin", "east asian"}:
        return True
    return _has_misplaced_sign(word, kinds) or _has_odd_case(word)


def _has_misplaced_sign(word: str, kinds: list[str]) -> bool:
    last = len(word) - 1
    for position, character in enumerate(word):
        if kinds[position] != "sign" or last == 0:
            continue
        if position == 0:
            allowed = OPENING
        elif position == last:
            allowed = CLOSING
        elif kinds[position - 1] != "sign" and kinds[position + 1] != "sign":
            allowed = JOINING
        else:
            allowed = OPENING | CLOSING
        if character not in allowed:
            return True
    return False


def _has_odd_case(word: str) -> bool:
    """A capital beyond ASCII after a small letter: SociÄtÄ, EspaÑa."""
    return any(after > "\x7f" and after.isupper() and before.islower() for before, after in pairwise(word))


@cache
def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Co", "Cn", "Cs") or character == REPLACEMENT:
        return "bad"
    if category in ("Mn", "Mc"):
        return "mark"
    name = unicodedata.name(character, "")
    if 0x3000 <= ord(character) <= 0x33FF or name.startswith(("KATAKANA", "HALFWIDTH", "FULLWIDTH")):
        return "east asian"
    # ˆ, ˛ and their like count as letters, and are accents without one.
    if category[0] not in "LM" or "\u02b0" <= character <= "\u02ff":
        return "sign"
    return next((script for prefix, script in SCRIPTS if name.startswith(prefix)), name.partition(" ")[0])
