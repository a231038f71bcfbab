"""A day counted once more, from the access records, and held against what the ledger counted."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from relay.domain.exchange import Exchange
from relay.domain.statistics import Line
from relay.policy.statistics.counting import Counting, day_of

_TEXTS: Final = (
    ("operator", "operator"),
    ("client_id", "client_id"),
    ("org_code", "provider"),
    ("api_code", "api_code"),
    ("api_type", "api_type"),
    ("rsp_code", "rsp_code"),
    ("error", "error"),
    ("reason", "reason"),
)
"""What a line is found by: its name in an access record, and in an exchange."""

_FAR: Final = 1e11
"""Seconds; what ends after the year 5000 is no record of ours."""


class NoRecord(ValueError):
    """A line that is no access record of an exchange."""


class Difference(NamedTuple):
    """A line on which ledger and records do not agree, with what each says (0: it does not know the line)."""

    line: Line
    ledger: int
    records: int


@dataclass(slots=True)
class Recount:
    """What the records of one day in Korea (`stat_date`, YYYYMMDD) add up to.

    `unattributed` exchanges of that day belong to no line; `unreadable` lines of text are no records.
    """

    stat_date: str
    counts: dict[Line, int] = field(default_factory=dict)
    unattributed: int = 0
    unreadable: int = 0

    def read(self, records: Iterable[bytes | str], counting: Counting) -> None:
        """Count records, one line of text each; they may come in any order and from any number of files."""
        for text in records:
            if not text.strip():
                continue
            try:
                exchange = exchange_of(text)
            except NoRecord:
                self.unreadable += 1
                continue
            if day_of(exchange) == self.stat_date:
                self._count(exchange, counting)

    def add(self, other: "Recount") -> None:
        """Add what another file of records of the same day adds up to."""
        for line, count in other.counts.items():
            self.counts[line] = self.counts.get(line, 0) + count
        self.unattributed += other.unattributed
        self.unreadable += other.unreadable

    def _count(self, exchange: Exchange, counting: Counting) -> None:
        line = counting.line(exchange)
        if line is not None:
            self.counts[line] = self.counts.get(line, 0) + exchange.repeated
        elif counting.misses(exchange):
            self.unattributed += exchange.repeated


def exchange_of(text: bytes | str) -> Exchange:
    """The exchange of an access record, as far as statistics go by it; `received` is when it ended. Raises NoRecord."""
    record = _object(text)
    ended, status = record.get("ended"), record.get("status")
    if not isinstance(ended, int | float) or not 0 <= ended < _FAR:
        raise NoRecord
    if type(status) is not int or isinstance(ended, bool):  # JSON's true is a number to Python
        raise NoRecord
    repeated = record.get("repeated", 1)
    if type(repeated) is not int or repeated < 1:
        raise NoRecord
    exchange = Exchange(0.0, float(ended))
    exchange.status, exchange.repeated = status, repeated
    for name, slot in _TEXTS:
        value = record.get(name)
        if type(value) is not str:
            raise NoRecord
        setattr(exchange, slot, value)
    return exchange


def _object(text: bytes | str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoRecord from error
    if not isinstance(found, dict):
        raise NoRecord
    return found


def differences(ledger: Iterable[tuple[Line, int]], records: Mapping[Line, int]) -> Iterator[Difference]:
    """Every line on which the two do not agree, in the order of the lines; none when all is well."""
    counted = dict(ledger)
    for line in sorted({*counted, *records}):
        if counted.get(line, 0) != records.get(line, 0):
            yield Difference(line, counted.get(line, 0), records.get(line, 0))
