"""Counts a day again from the access records and compares it with the ledger."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from relay.domain.exchange import Exchange
from relay.domain.statistics import Line
from relay.policy.statistics.counting import Counting, day_of

_FIELDS: Final = (
    ("operator", "operator"),
    ("client_id", "client_id"),
    ("org_code", "provider"),
    ("api_code", "api_code"),
    ("api_type", "api_type"),
    ("rsp_code", "rsp_code"),
    ("error", "error"),
    ("reason", "reason"),
)
"""Fields that determine the line: name in the access record, name in the exchange."""

_MAX_END: Final = 1e11
"""Seconds; an end after the year 5000 is not valid."""


class NoRecord(ValueError):
    """A line of text that is no access record."""


class Difference(NamedTuple):
    """A line whose counts differ between ledger and records (0: the line is missing there)."""

    line: Line
    ledger: int
    records: int


@dataclass(slots=True)
class Recount:
    """Counts from the records of one day in Korea (`stat_date`, YYYYMMDD).

    `unattributed` exchanges of the day belong to no line; `unreadable` lines of text are no records.
    """

    stat_date: str
    counts: dict[Line, int] = field(default_factory=dict)
    unattributed: int = 0
    unreadable: int = 0

    def read(self, records: Iterable[bytes | str], counting: Counting) -> None:
        """Counts records, one line of text each, in any order and from any number of files."""
        for text in records:
            if not text.strip():
                continue
            try:
                exchange = parse_record(text)
            except NoRecord:
                self.unreadable += 1
                continue
            if day_of(exchange) == self.stat_date:
                self._count(exchange, counting)

    def add(self, other: "Recount") -> None:
        """Adds the counts of another file of the same day."""
        for line, count in other.counts.items():
            self.counts[line] = self.counts.get(line, 0) + count
        self.unattributed += other.unattributed
        self.unreadable += other.unreadable

    def _count(self, exchange: Exchange, counting: Counting) -> None:
        line = counting.line(exchange)
        if line is not None:
            self.counts[line] = self.counts.get(line, 0) + exchange.repeated
        elif counting.is_unattributed(exchange):
            self.unattributed += exchange.repeated


def parse_record(text: bytes | str) -> Exchange:
    """Returns an access record as an exchange, with the fields of a line; `received` is its end. Raises NoRecord."""
    record = _parse_object(text)
    ended, status = record.get("ended"), record.get("status")
    if not isinstance(ended, int | float) or not 0 <= ended < _MAX_END:
        raise NoRecord
    if type(status) is not int or isinstance(ended, bool):  # JSON's true is a number to Python
        raise NoRecord
    repeated = record.get("repeated", 1)
    if type(repeated) is not int or repeated < 1:
        raise NoRecord
    exchange = Exchange(0.0, float(ended))
    exchange.status, exchange.repeated = status, repeated
    for name, attribute in _FIELDS:
        value = record.get(name)
        if type(value) is not str:
            raise NoRecord
        setattr(exchange, attribute, value)
    return exchange


def _parse_object(text: bytes | str) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoRecord from error
    if not isinstance(record, dict):
        raise NoRecord
    return record


def find_differences(ledger: Iterable[tuple[Line, int]], records: Mapping[Line, int]) -> Iterator[Difference]:
    """Yields lines whose counts differ, in their order."""
    counted = dict(ledger)
    for line in sorted({*counted, *records}):
        if counted.get(line, 0) != records.get(line, 0):
            yield Difference(line, counted.get(line, 0), records.get(line, 0))
