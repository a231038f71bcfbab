"""Stops calls to an institution while it responds to none (circuit breaker)."""

from typing import Final

WINDOW_S: Final = 10.0
"""Failures of so long are counted."""

LEAST_FAILURES: Final = 10
"""So many failures in a row open the breaker."""

PROBE_S: Final = 1.0
"""While the breaker is open, one call in this time is sent; its response closes the breaker."""


class Breaker:
    """Counts failed calls without a response between them. `failures` is 0 while all is well.

    An institution with one slow API stays available: any response in between counts as success.
    """

    __slots__ = ("_probe_at", "_since", "failures", "is_open")

    def __init__(self) -> None:
        self.failures = 0
        self.is_open = False
        self._since = 0.0
        self._probe_at = 0.0

    def record_failure(self, now: float) -> None:
        """Counts a call that got no response."""
        if not self.is_open and now - self._since > WINDOW_S:
            self.failures, self._since = 0, now
        self.failures += 1
        if self.failures >= LEAST_FAILURES and not self.is_open:
            self.is_open, self._probe_at = True, now + PROBE_S

    def record_success(self) -> None:
        """Closes the breaker."""
        self.failures = 0
        self.is_open = False

    def get_wait_s(self, now: float) -> float:
        """Returns 0.0 if a call may be sent now, else the seconds until one may. The next one may PROBE_S later."""
        if not self.is_open:
            return 0.0
        if now < self._probe_at:
            return self._probe_at - now
        self._probe_at = now + PROBE_S
        return 0.0
