"""Starts the adapter when a reload brings the first institution that needs it."""

import logging
from collections.abc import Callable

_log = logging.getLogger(__name__)


class AdapterNeed:
    """Whether the settings in force need an adapter. `start` starts one; None where another service manager does."""

    def __init__(self, *, is_needed: bool) -> None:
        self._was_needed = is_needed
        self.start: Callable[[], object] | None = None

    def update(self, *, is_needed: bool) -> None:
        """Takes the need of new settings. Starts the adapter when they need it first; an adapter is never stopped."""
        if not is_needed or self._was_needed:
            return
        self._was_needed = True
        if self.start is None:
            _log.warning("an institution needs the adapter, start it: command='relay serve --role adapter'")
        else:
            _log.info("an institution needs the adapter, it is started")
            self.start()
