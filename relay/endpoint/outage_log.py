"""Who is down: a line about each, for whoever looks after the relay. It holds nothing of a call or a customer."""

import logging
from typing import Final

_log = logging.getLogger(__name__)

EVERY_S: Final = 1.0


class Complaints:
    """One line a second at most about each party, the others counted into its next: complaints must not fill a disk.

    Parties are the certifiers and institutions of the settings: there are not more of them than that.
    """

    def __init__(self) -> None:
        self._said: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def say(self, party: str, what: str, now: float) -> None:
        """Log that `party` does not do its part, in the words `what`. `now` in seconds; the clock may be set back."""
        said = self._said.get(party)
        if said is not None and 0 <= now - said < EVERY_S:
            self._unsaid[party] = self._unsaid.get(party, 0) + 1
            return
        _log.warning("%s: %s; %d more since the last line", party, what, self._unsaid.pop(party, 0))
        self._said[party] = now
