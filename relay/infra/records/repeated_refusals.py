"""A flood of refused calls in few access records: what repeats within a second is summed, and counted exactly."""

from typing import Final

from relay.domain.exchange import Exchange

EACH: Final = 20
"""Records that are written as they are for the same refusal of the same caller within a second."""

PENDING_S: Final = 1.0
"""A sum waits no longer than this to be written."""

_Key = tuple[str, str, str, str, str, int, str, str, str, str]


class RepeatedRefusals:
    """Holds back refused exchanges that repeat; the last of them is written with `repeated`, how many it stands for.

    A second is one of the epoch at which exchanges ended, so that no sum reaches into another day or slot.
    """

    def __init__(self) -> None:
        self._second = 0
        self._sums: dict[_Key, tuple[int, Exchange | None]] = {}

    def reduce(self, exchanges: list[Exchange]) -> list[Exchange]:
        """Return the exchanges to write: all but those held back, and sums of the seconds before.

        PERF: 0.05 us for each exchange that was not refused.
        """
        written: list[Exchange] = []
        for exchange in exchanges:
            if not exchange.reason or exchange.asked:
                written.append(exchange)
                continue
            second = int(exchange.received + exchange.total)
            if second != self._second:
                written += self.flush()
                self._second = second
            self._add(exchange, written)
        return written

    def flush(self) -> list[Exchange]:
        """Return the sums that wait."""
        sums, self._sums = self._sums, {}
        waiting = []
        for seen, last in sums.values():
            if last is not None:
                last.repeated = seen - EACH
                waiting.append(last)
        return waiting

    @property
    def waits(self) -> bool:
        """Whether a sum waits to be written."""
        return any(last is not None for _, last in self._sums.values())

    def _add(self, exchange: Exchange, written: list[Exchange]) -> None:
        key = _key(exchange)
        seen, _ = self._sums.get(key, (0, None))
        if seen < EACH:
            written.append(exchange)
            self._sums[key] = seen + 1, None
        else:
            self._sums[key] = seen + 1, exchange


def _key(e: Exchange) -> _Key:
    """What refusals have in common that one record may stand for."""
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
