"""How well letters beyond ASCII stand among their neighbours, for the languages that write in Latin letters.

`letter_triples.tsv` counts each such letter with the letters before and after it (`^` and `$` at the edges
of a word) in the names that Unicode's CLDR, as in Babel 2.19, has for territories, languages, scripts,
currencies, months, days and cities: one line a language. `tests/unit/count_letter_triples.py` makes it.
"""

import math
import re
from collections import defaultdict
from functools import cache, lru_cache
from pathlib import Path

LETTERS = re.compile(r"[^\W\d_]+")
TRIPLE = re.compile(r"(...)(\d+)")
MAX_WORDS = 200
# What a word costs that is not of the language that most words are of, in natural logarithms.
OTHER_LANGUAGE = 4.0
# As likely as a letter with neighbours in a script that this module has no counts for is taken to be.
NEUTRAL = -6.0
WORST = -16.0
UNSEEN = 0.5
ALPHABET = 30

Triple = tuple[str, str, str]
Weights = defaultdict[str, float]


def likelihood(text: str) -> float:
    """The mean logarithm of the probability of the letters, in the language that fits most words best."""
    words = _triples(text)
    if not words:
        return NEUTRAL
    costs = [
        [sum(_log_probability(name, *triple) for triple in word) for word in words] for name in _languages()
    ]
    best = [max(of_word) for of_word in zip(*costs, strict=True)]
    letters = sum(map(len, words))
    total: float = max(
        sum(max(cost, top - OTHER_LANGUAGE) for cost, top in zip(costs_of_one, best, strict=True))
        for costs_of_one in costs
    )
    return max(WORST, total / letters)


def _triples(text: str) -> list[list[Triple]]:
    found: dict[str, list[Triple]] = {}
    for match in LETTERS.finditer(text):
        word = match[0]
        if word.isascii() or word in found:
            continue
        edged = f"^{word[:60].lower()}$"
        triples = [triple for triple in zip(edged, edged[1:], edged[2:], strict=False) if triple[1] > "\x7f"]
        if triples:
            found[word] = triples
        if len(found) >= MAX_WORDS:
            break
    return list(found.values())


class _Language:
    """Counts of letters and of their neighbours; the square root keeps a name that is often listed from
    ruling.
    """

    def __init__(self, line: str) -> None:
        self.letters: Weights = defaultdict(float)
        self.before: defaultdict[str, Weights] = defaultdict(lambda: defaultdict(float))
        self.after: defaultdict[str, Weights] = defaultdict(lambda: defaultdict(float))
        for (before, letter, after), count in TRIPLE.findall(line):
            weight = math.sqrt(int(count))
            self.letters[letter] += weight
            self.before[letter][before] += weight
            self.after[letter][after] += weight
        self.total = sum(self.letters.values())


@cache
def _languages() -> dict[str, _Language]:
    lines = (Path(__file__).parent / "letter_triples.tsv").read_text(encoding="utf-8").splitlines()
    return {line[:2]: _Language(line[3:]) for line in lines}


@lru_cache(maxsize=100_000)
def _log_probability(name: str, before: str, letter: str, after: str) -> float:
    language = _languages()[name]
    seen = language.letters.get(letter, 0.0)
    probability = math.log((seen + 0.02) / (language.total + 1))
    for neighbours, neighbour in ((language.before.get(letter), before), (language.after.get(letter), after)):
        weight = neighbours.get(neighbour, 0.0) if neighbours else 0.0
        probability += 0.7 * math.log((weight + UNSEEN / ALPHABET) / (seen + UNSEEN))
    return probability
