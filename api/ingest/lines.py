"""Bytes → physical lines, a block at a time, in one pass and in linear time whatever the line ends are.

Lines keep their ends. NUL characters go. A byte that is no text in the encoding is shown as U+FFFD.
"""

import codecs
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from api.ingest.plausibility import REPLACEMENT
from api.ingest.rows import MAX_RAW_CHARACTERS, MAX_RECORD_BYTES

LINE_ENDS = ("\n", "\r")


@dataclass(frozen=True, slots=True)
class Lines:
    """`too_long`: one line, of which only the beginning was kept.

    `needs_care`: the lines may hold what only a look at each field finds, U+FFFD or the guard `="…"`.
    """

    texts: list[str]
    too_long: bool = False
    nul_count: int = 0
    needs_care: bool = False


def read_lines(blocks: Iterable[bytes], encoding: str) -> Iterator[Lines]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    reader = _LineReader()
    for block in blocks:
        yield from reader.add(decoder.decode(block))
    yield from reader.add(decoder.decode(b"", final=True), final=True)


class _LineReader:
    """Keeps the line that has not ended yet, and no more of it than a record may have."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._open_size = 0
        self._has_held_return = False
        self._open_needs_care = False

    def add(self, text: str, *, final: bool = False) -> Iterator[Lines]:
        nul_count = text.count("\x00")
        in_this_text = REPLACEMENT in text or '="' in text
        needs_care = in_this_text or self._open_needs_care
        self._open_needs_care = in_this_text
        if nul_count:
            text = text.replace("\x00", "")
        if self._has_held_return:
            text = "\r" + text
        # It may belong to a line feed in the next block.
        self._has_held_return = text.endswith("\r") and not final
        if self._has_held_return:
            text = text[:-1]
        texts = io.StringIO(text, newline="").readlines()
        open_end = texts.pop() if texts and not final and not texts[-1].endswith(LINE_ENDS) else ""
        if texts or (final and self._open):
            first = self._close(texts[0] if texts else "")
            if first.too_long:
                yield first
                texts = texts[1:]
            else:
                texts[:1] = first.texts
        if texts or nul_count:
            yield Lines(texts, nul_count=nul_count, needs_care=needs_care)
        if open_end:
            self._keep(open_end)

    def _keep(self, part: str) -> None:
        self._open_size += len(part)
        if self._open_size <= MAX_RECORD_BYTES:
            self._open.append(part)
        else:
            self._open = ["".join([*self._open, part])[: MAX_RAW_CHARACTERS + 1]]

    def _close(self, end: str) -> Lines:
        """A block is smaller than a record may be, so only the line that began in an earlier one can be too
        long.
        """
        self._keep(end)
        line = "".join(self._open)
        too_long = self._open_size > MAX_RECORD_BYTES + len(LINE_ENDS)
        self._open, self._open_size = [], 0
        return Lines([line], too_long)
