"""Sums repeated refusals in access records: those of one second become one record, counted exactly."""

from typing import Final

from relay.domain.exchange import Exchange

EACH: Final = 20
"""Number of single records for the same refusal of the same caller within a second."""

PENDING_S: Final = 1.0
"""Maximum time until a sum is written."""

_Key = tuple[str, str, str, str, str, int, str, str, str, str]


class RepeatedRefusals:
    """Withholds repeated refusals; the last one is written with `repeated`, the number it stands for.

    Sums are by epoch second of the end, so that no sum spans two days or slots.
    """

    def __init__(self) -> None:
        self._second = 0
        self._sums: dict[_Key, tuple[int, Exchange | None]] = {}

    def reduce(self, exchanges: list[Exchange]) -> list[Exchange]:
        """Returns the exchanges to write: all but the withheld ones, and sums of earlier seconds.

        PERF: 0.05 us for each exchange that was not refused.
        """
        written: list[Exchange] = []
        for exchange in exchanges:
            if not exchange.reason or exchange.provider_started:
                written.append(exchange)
                continue
            second = int(exchange.received + exchange.total)
            if second != self._second:
                written += self.flush()
                self._second = second
            self._add(exchange, written)
        return written

    def flush(self) -> list[Exchange]:
        """Returns the waiting sums."""
        sums, self._sums = self._sums, {}
        waiting = []
        for count, last in sums.values():
            if last is not None:
                last.repeated = count - EACH
                waiting.append(last)
        return waiting

    @property
    def waits(self) -> bool:
        """Whether a sum waits to be written."""
        return any(last is not None for _, last in self._sums.values())

    def _add(self, exchange: Exchange, written: list[Exchange]) -> None:
        key = _key(exchange)
        count, _ = self._sums.get(key, (0, None))
        if count < EACH:
            written.append(exchange)
            self._sums[key] = count + 1, None
        else:
            self._sums[key] = count + 1, exchange


def _key(e: Exchange) -> _Key:
    """Returns the fields that refusals in one record have in common."""
    return (
        e.operator,
        e.client_id,
        e.provider,
        e.api_code,
        e.api_type,
        e.status,
        e.rsp_code,
        e.error,
        e.reason,
        e.detail,
    )
