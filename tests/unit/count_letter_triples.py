"""Makes `api/ingest/letter_triples.tsv` from the names of CLDR: `pip install babel==2.19.0`, then
`python -m tests.unit.count_letter_triples`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from babel import Locale  # type: ignore[import-not-found]

LANGUAGES = "pl cs sk hu hr sl ro de fr es it pt sv da nb fi nl is ca et lv lt tr sq ga af".split()  # noqa: SIM905
LETTERS = re.compile(r"[^\W\d_]+")
TARGET = Path(__file__).parents[2] / "api/ingest/letter_triples.tsv"
# Romanian is mostly written with cedillas where its encodings have no commas.
CEDILLAS = str.maketrans("șțȘȚ", "şţŞŢ")


def names(locale: Locale) -> Iterator[str]:
    yield from locale.territories.values()
    yield from locale.languages.values()
    yield from (zone["city"] for zone in locale.time_zones.values() if "city" in zone)
    yield from locale.currencies.values()
    yield from locale.scripts.values()
    yield from locale.months["format"]["wide"].values()
    yield from locale.days["format"]["wide"].values()


def triples(language: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    for name in names(Locale.parse(language)):
        for spelled in {name, name.translate(CEDILLAS)} if language == "ro" else {name}:
            for word in LETTERS.findall(spelled):
                edged = f"^{word.lower()}$"
                counted.update(
                    edged[place - 1 : place + 2]
                    for place in range(1, len(edged) - 1)
                    if edged[place] > "\x7f"
                )
    return counted


if __name__ == "__main__":
    lines = []
    for language in LANGUAGES:
        counted = " ".join(f"{triple}{count}" for triple, count in sorted(triples(language).items()))
        lines.append(f"{language}\t{counted}\n")
    TARGET.write_text("".join(lines), encoding="utf-8")
