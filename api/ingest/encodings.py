"""Names of encodings: what an upload may name, and the Python codec that reads it."""

import codecs
import re
from typing import Final

# Every codec by which a file may be read.
CODECS: Final = frozenset(
    {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "ascii"}
    | {f"cp{number}" for number in (874, 932, 949, 950, *range(1250, 1259))}
    | {f"cp{number}" for number in (437, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 865, 866, 869)}
    | {f"iso8859-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)}
    | {"mac-roman", "mac-latin2", "mac-cyrillic", "mac-greek", "mac-turkish", "mac-iceland"}
    | {"koi8-r", "koi8-u", "shift_jis", "euc_jp", "iso2022_jp", "euc_jis_2004", "shift_jis_2004"}
    | {"gbk", "gb2312", "gb18030", "big5", "big5hkscs", "euc_kr", "johab", "tis-620", "hz"}
)
# What programs call them, beside the aliases that Python knows.
ALIASES: Final = {
    "ansi": "cp1252",
    "unicode": "utf-16",
    "utf8bom": "utf-8",
    "utf8sig": "utf-8",
    "ucs2": "utf-16",
    "ucs4": "utf-32",
    "macintosh": "mac-roman",
    "macosroman": "mac-roman",
    "applemacroman": "mac-roman",
    "xmacroman": "mac-roman",
    "maccentraleurope": "mac-latin2",
    "maccentraleuropean": "mac-latin2",
    "maccyrillic": "mac-cyrillic",
    "sjis": "shift_jis",
    "xsjis": "shift_jis",
    "windows31j": "cp932",
    "mskanji": "cp932",
    "windows949": "cp949",
    "uhc": "cp949",
    "gb": "gb18030",
    "latin1": "iso8859-1",
    "latin2": "iso8859-2",
    "latin5": "iso8859-9",
    "latin9": "iso8859-15",
    "windows874": "cp874",
}
# The codec that programs mean by the name: a superset, so that their own additions are read too.
SUPERSETS: Final = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
}

SPELLED_OUT: Final = {re.sub(r"[^a-z0-9]", "", codec): codec for codec in CODECS}


def find_codec(name: str) -> str | None:
    """The codec that a caller's name of an encoding stands for (`Windows-1252`, `latin-1`, `MacRoman`), if
    any.
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    found = ALIASES.get(plain) or SPELLED_OUT.get(plain)
    if found is None:
        numbered = re.fullmatch(r"(?:cp|windows|win|ms|ibm|codepage|dos)?(\d{3,5})", plain)
        spelled = f"cp{numbered[1]}" if numbered else name.strip().lower()
        if plain.startswith("mac"):
            spelled = f"mac-{plain.removeprefix('mac')}"
        try:
            found = codecs.lookup(spelled).name
        except (LookupError, ValueError):
            return None
    return SUPERSETS.get(found, found) if found in CODECS else None
