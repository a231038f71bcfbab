"""Log lines about the lines of one institution, limited in rate for each event and reason."""

import logging
from collections.abc import Callable
from typing import Final

from relay.primitives.log_throttle import LogThrottle

_log = logging.getLogger(__name__)

LOGGED_EVERY_S: Final = 60.0
"""Seconds between two log lines about the same event with the same reason."""

MAX_REASONS: Final = 64
"""Reasons that are limited each by itself; further ones share the limit of their event."""


class LineLog:
    """Logs events of lines. A frequent reason does not hide another one; see `LogThrottle`."""

    def __init__(self, org_code: str, clock: Callable[[], float]) -> None:
        self._org_code = org_code
        self._clock = clock
        self._throttle = LogThrottle(LOGGED_EVERY_S)
        self._reasons: set[str] = set()

    def record(self, event: str, reason: str) -> None:
        """Logs an event, with the number of equal ones since the last such line."""
        key = f"{event}: {reason}"
        if key not in self._reasons:
            if len(self._reasons) >= MAX_REASONS:
                key = event
            else:
                self._reasons.add(key)
        count = self._throttle.count_event(key, self._clock())
        if count:
            text = "".join(character if character.isprintable() else "?" for character in reason.replace('"', "'"))
            _log.warning('%s: org_code=%s reason="%s" count=%d', event, self._org_code, text, count)
