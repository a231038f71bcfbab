"""Logs lines about institutions and certifiers that fail. They hold nothing of a call or a customer."""

import logging
from typing import Final

_log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0


class PartyOutageLog:
    """Logs at most one line a second for each party; the next line counts the suppressed ones.

    Parties are the certifiers and institutions of the settings, which bounds the memory.
    """

    def __init__(self) -> None:
        self._logged_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}

    def log(self, party: str, cause: str, now: float) -> None:
        """Logs a failure of `party` (kind and org_code). `now` in seconds; the clock may be set back."""
        self._failures[party] = self._failures.get(party, 0) + 1
        logged_at = self._logged_at.get(party)
        if logged_at is not None and 0 <= now - logged_at < INTERVAL_S:
            return
        _log.warning('%s unavailable: cause="%s" failures=%d', party, cause, self._failures.pop(party))
        self._logged_at[party] = now
