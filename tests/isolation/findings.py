"""The trials of a sweep, the deviations that they show, and the symbols that the matrix prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.isolation import attempts
from tests.isolation.attempts import Attempt, Outcome
from tests.support.sql_client import Connection

DEVIATION = "!"
REFUSED = "x"


@dataclass(frozen=True)
class Trial:
    """An attempt of a caller, its expected outcome, and the sentence that reports another one.

    `row` names its row in the matrix.
    """

    row: str
    caller: str
    attempt: Attempt
    sentence: str
    is_as_expected: Callable[[Outcome], bool]


@dataclass
class Report:
    """`cells` maps (row, caller) to a symbol. `deviations` are sentences that say what is wrong."""

    attempts: int = 0
    deviations: list[str] = field(default_factory=list)
    cells: dict[tuple[str, str], str] = field(default_factory=dict)

    def judge(self, connection: Connection, trials: Sequence[Trial]) -> list[Outcome]:
        """Makes the attempts and records every unexpected outcome."""
        outcomes = attempts.run(connection, [trial.attempt for trial in trials])
        for trial, outcome in zip(trials, outcomes, strict=True):
            found = outcome.word if outcome.count is None else f"{outcome.word}, {outcome.count} rows"
            sentence = f"{trial.sentence} Outcome: {found}."
            self.expect(trial.is_as_expected(outcome), sentence, trial.row, trial.caller)
        return outcomes

    def expect(self, is_as_expected: bool, sentence: str, row: str = "", caller: str = "") -> None:
        self.attempts += 1
        if not is_as_expected:
            self.deviations.append(sentence)
            if row:
                self.cells[row, caller] = DEVIATION

    def mark(self, row: str, caller: str, symbol: str) -> None:
        """Sets what the matrix prints, unless the cell is a deviation."""
        self.cells.setdefault((row, caller), symbol)

    def merge(self, others: Iterable[Report]) -> Report:
        for other in others:
            self.attempts += other.attempts
            self.deviations += other.deviations
            for cell, symbol in other.cells.items():
                self.cells[cell] = DEVIATION if DEVIATION in (symbol, self.cells.get(cell)) else symbol
        return self


def is_denied(outcome: Outcome) -> bool:
    return outcome.sqlstate == attempts.DENIED


def reaches_nothing(outcome: Outcome) -> bool:
    return outcome.succeeded and outcome.count == 0
