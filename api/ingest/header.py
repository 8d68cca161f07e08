"""Which row of a table is its header, and the names that it gives."""

import re
from collections import Counter
from collections.abc import Sequence

from api.ingest.plausibility import REPLACEMENT
from api.ingest.refusal import unreadable
from api.ingest.rows import MAX_FIELDS, MAX_NAME_CHARACTERS

# As many rows are looked at to find the header.
SAMPLE_ROWS = 100
# A table of so many columns may have two cells of title above it, as in `Report;Accounts`.
WIDE_TABLE = 6
# Cells that are data: an e-mail, an address of the web, a phone number, a number that is no year.
DATA = re.compile(
    r"[\w.+'-]+@[\w-]+\.\w|https?://|www\.|\+?(?:[\s()./-]*\d){9,}|(?!(?:19|20)\d\d$)[+-]?\d[\d.,]*$",
    re.IGNORECASE,
)
# A first row of one cell with such a word is the header of one column rather than a title.
USUAL_NAME = re.compile(
    "account|adresse|ciudad|city|company|companyname|country|domain|e-?mail|emailaddress|empresa|firma|firmenname|id"
    "|land|name|nome?|nombre|organi[sz]ation|ort|país|pays|phone|société|telefono?|telephone|url|ville|website",
    re.IGNORECASE,
)

Cells = Sequence[str]


def find_header(rows: Sequence[Cells]) -> int:
    """The index of the header among the first rows that are not blank.

    It is the first row, unless that is plainly a title: one cell filled (or two, the first ending with a
    colon) above a row that fills at least half of what rows mostly fill, reads like names, and has rows
    below it.
    """
    rows = rows[:SAMPLE_ROWS]
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    tables = Counter(count for count in filled if count >= 2)
    if not tables:
        return 0
    typical = max(tables, key=lambda count: (tables[count], count))
    index = next(index for index, row in enumerate(rows) if not _is_title(row, typical))
    is_plain = 2 * filled[index] >= typical and index + 1 < len(rows) and _reads_like_names(rows[index])
    return index if is_plain else 0


def _is_title(row: Cells, typical: int) -> bool:
    cells = [cell.strip() for cell in row if cell.strip()]
    if any(REPLACEMENT in cell for cell in cells):
        return False
    if len(cells) <= 1:
        return not cells or not is_usual_name(cells[0])
    is_short = len(row) < typical or typical >= WIDE_TABLE
    return len(cells) == 2 < typical and (cells[0].endswith(":") or is_short)


def is_usual_name(cell: str) -> bool:
    return USUAL_NAME.fullmatch(cell.strip()) is not None


def _reads_like_names(row: Cells) -> bool:
    return not any(DATA.match(cell.strip()) or len(cell) > MAX_NAME_CHARACTERS for cell in row)


def field_names(header: Sequence[str]) -> list[str]:
    """Makes each name of a header non-empty and unique, changing none that is so already.

    Raises FileRefusedError unreadable_file for a header that nobody could use.
    """
    trimmed = [
        name.strip().lstrip("\ufeff").strip() or f"column_{position}"
        for position, name in enumerate(header, 1)
    ]
    if len(trimmed) > MAX_FIELDS or any(len(name) > MAX_NAME_CHARACTERS for name in trimmed):
        raise unreadable(
            f"The header has over {MAX_FIELDS:,} fields, or a name over {MAX_NAME_CHARACTERS} characters. "
            "If the file has none, send names as `header`; if it is further down, send `skip_lines`."
        )
    if any(set(name) <= {REPLACEMENT} for name in trimmed):
        raise unreadable("The header of the file is not text.")
    names: dict[str, None] = {}
    known = set(trimmed)
    for name in trimmed:
        unique, copy = name, 1
        while unique in names or (copy > 1 and unique in known):
            copy += 1
            unique = f"{name}_{copy}"
        names[unique] = None
    return list(names)
