"""Logs outages of institutions and of the authority, detected from completed exchanges."""

import time
from collections.abc import Callable
from typing import Final

from relay.domain.exchange import Exchange
from relay.domain.fault import CONNECT_FAULTS
from relay.infra.diagnostics.outages import OutageLog

_FAILED: Final = frozenset(
    {
        *(fault.name for fault in CONNECT_FAULTS),
        *(
            "provider_reset",
            "provider_broken",
            "answer_unidentified",
            "provider_silent",
            "breaker_open",
            "no_descriptors",
        ),
        *("authority_unreachable", "authority_silent", "adapter_unreachable"),
    }
)
_AUTHORITY: Final = ""
_FILES: Final = "files"
"""The key of failures for which this process had no file descriptor: no institution has failed."""
_NO_DESCRIPTORS: Final = "no_descriptors"


class ExchangeOutages:
    """Logs when an institution or the authority begins to fail, the cause, and when it responds again.

    An exchange with an industry belongs to its institution, others to the authority. A connection that could not be
    opened for lack of a file descriptor (EMFILE) is a failure of the relay itself, until any exchange succeeds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._outages: dict[str, OutageLog] = {}
        self._failing: set[str] = set()

    @property
    def is_failing(self) -> bool:
        """Whether an institution or the authority is failing."""
        return bool(self._failing)

    def record(self, exchanges: list[Exchange]) -> None:
        """Processes completed exchanges in order. PERF: 0.1 us each while nothing fails."""
        for exchange in exchanges:
            if exchange.reason in _FAILED:
                self._record_failure(exchange)
            elif self._failing and exchange.provider_status:
                self._record_success(_key(exchange))
                self._record_success(_FILES)

    def _record_failure(self, exchange: Exchange) -> None:
        is_own = _NO_DESCRIPTORS in exchange.detail.split()
        key = _FILES if is_own else _key(exchange)
        outage = self._outages.get(key)
        if outage is None:
            outage = self._outages[key] = OutageLog(_describe(key), self._clock)
        self._failing.add(key)
        outage.record_failure("EMFILE" if is_own else f"{exchange.reason} detail={exchange.detail or '-'}")

    def _record_success(self, key: str) -> None:
        if key in self._failing:
            self._failing.discard(key)
            self._outages[key].record_success()


def _describe(key: str) -> str:
    """Returns a subject in log format."""
    if key == _FILES:
        return f"file descriptors of the relay: reason={_NO_DESCRIPTORS}"
    return f"institution: org_code={key}" if key else "authority"


def _key(exchange: Exchange) -> str:
    return exchange.provider if exchange.industry else _AUTHORITY
