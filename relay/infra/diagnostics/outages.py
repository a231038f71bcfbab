"""Logs the outages of services: one line at the begin, one at the end."""

import logging
import time
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

REPEAT_S: Final = 60.0
"""Minimum seconds between two lines of a service that flaps or changes its cause."""


class OutageLog:
    """Logs begin and end of the outages of one service, with their cause.

    Call `record_failure` at each failure and `record_success` at each success. `subject` is the service in log format:
    `institution: org_code=ZBAA000001`. `is_failing` is whether the last attempt failed.
    """

    __slots__ = ("_cause", "_clock", "_failures", "_is_logged", "_logged_at", "_since", "_subject", "is_failing")

    def __init__(self, subject: str, clock: Callable[[], float] = time.monotonic) -> None:
        name, _, fields = subject.partition(": ")
        self._subject = (name, f"{fields} " if fields else "")
        self._clock = clock
        self._cause = ""
        self._failures = 0
        self._since = 0.0
        self._logged_at = float("-inf")
        self._is_logged = False
        self.is_failing = False

    def record_failure(self, cause: str) -> None:
        """Counts a failure. Logs the first of an outage, and a cause other than the last logged one."""
        now = self._clock()
        if not self.is_failing:
            self.is_failing, self._since, self._failures, self._is_logged = True, now, 0, False
        self._failures += 1
        if (self._is_logged and cause == self._cause) or now - self._logged_at < REPEAT_S:
            return
        self._cause, self._logged_at, self._is_logged = cause, now, True
        name, fields = self._subject
        _log.warning("%s unavailable: %scause=%s failures=%d", name, fields, cause, self._failures)

    def record_success(self) -> None:
        """Ends the outage, if any."""
        if not self.is_failing:
            return
        self.is_failing = False
        if self._is_logged:
            name, fields = self._subject
            seconds = self._clock() - self._since
            _log.warning("%s available again: %safter_s=%.1f failures=%d", name, fields, seconds, self._failures)


class OutageLogs:
    """The outage logs of several services by subject. Subjects must be few, they are kept."""

    __slots__ = ("_clock", "_logs")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logs: dict[str, OutageLog] = {}

    def record_failure(self, subject: str, cause: str) -> None:
        """Counts a failure of `subject`; see `OutageLog`."""
        if subject not in self._logs:
            self._logs[subject] = OutageLog(subject, self._clock)
        self._logs[subject].record_failure(cause)

    def record_success(self, subject: str) -> None:
        """Ends the outage of `subject`, if any."""
        if subject in self._logs:
            self._logs[subject].record_success()
