"""Who stands at the door: the peer of each connection, how many connections it holds, how often it is complained of."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from relay.domain.fault import FAULTS, Refusal
from relay.domain.party import Peer
from relay.policy.call.access import Caller
from relay.policy.call.plan import Plan
from relay.wire.server import ServerConnection

_log = logging.getLogger(__name__)

_SAY_EVERY_S: Final = 1.0

_EXCESS_S: Final = 0.5
"""So long a connection beyond a limit may take to send the call that is refused; without one it is closed."""

RECORDS_EXCEEDED: Final = "tls_records_exceeded"


@dataclass(slots=True)
class Card:
    """What is known of a connection: its peer, whether it is one too many, and who it was under which plan."""

    peer: Peer
    excess: bool
    plan: Plan | None = None
    callers: tuple[Caller, ...] = ()
    operator: str = ""
    refused_until: float = 0.0


class Welcome:
    """Greets connections. `identify` reads the peer off a connection's transport; `rejected` counts by reason."""

    def __init__(
        self, identify: Callable[[ServerConnection], Peer], most: int, most_each: int, clock: Callable[[], float]
    ) -> None:
        self._identify = identify
        self._clock = clock
        self._most = most
        self._most_each = most_each
        self._each: Counter[str] = Counter()
        self._seats = 0
        self.connections: set[ServerConnection] = set()
        self._said = -_SAY_EVERY_S
        self.rejected: Counter[str] = Counter()
        self._unsaid = 0

    def add(self, connection: ServerConnection) -> None:
        """Make out the peer's card. A connection too many counts nowhere; a call that comes at once is told so."""
        peer = self._identify(connection)
        whose = peer.serial or peer.address
        self.connections.add(connection)
        excess = self._each[whose] >= self._most_each or self._seats >= self._most
        connection.card = Card(peer, excess)
        if excess:
            connection.limit_to_one_call(_EXCESS_S)
            self.turned_away(peer.address, "connections_exceeded")
            return
        self._each[whose] += 1
        self._seats += 1

    def remove(self, connection: ServerConnection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        if connection.card.excess:
            return
        whose = connection.card.peer.serial or connection.card.peer.address
        self._seats -= 1
        self._each[whose] -= 1
        if not self._each[whose]:
            del self._each[whose]

    def recognise(self, plan: Plan, card: Card) -> None:
        """Note on the card who the peer may be under this plan. Raises Refusal (40103, 40102, 42901).

        PERF: once for each plan and connection; then the handler compares two references. A directory that changes is a
        plan that changes, so every request is held against the live directory (규격 3.1).
        """
        callers = plan.callers.recognise(card.peer)
        card.callers = callers
        card.operator = callers[0].operator.org_code if len(callers) == 1 else ""
        if card.excess:  # known, so that its call counts for its operator, and refused for each call anew
            raise Refusal(FAULTS["connections_exceeded"])
        card.plan = plan

    def dismiss(self, plan: Plan) -> None:
        """Let the connections go of those whom this plan does not know any more; calls in flight end in peace."""
        for connection in list(self.connections):
            card: Card = connection.card
            if card.plan is None:
                continue
            try:
                plan.callers.recognise(card.peer)
            except Refusal:
                connection.close_when_idle()

    def log_malformed(self, connection: ServerConnection, wrong: str, now: float) -> None:
        """Log what a peer does wrong on the wire."""
        peer = connection.card.peer
        self._say(now, "no request from %s (serial %s): %s", peer.address, peer.serial or "-", wrong)

    def log_refusals_exceeded(self, peer: Peer, now: float) -> None:
        """Log a peer whose refused calls exceed their rate."""
        self._say(now, "refused calls beyond the rate: address=%s serial=%s", peer.address, peer.serial or "-")

    def log_flood(self, peer: Peer, now: float) -> None:
        """Count and log a peer whose connection was cut for a flood of TLS records."""
        self.rejected[RECORDS_EXCEEDED] += 1
        about = (peer.address, peer.serial or "-", RECORDS_EXCEEDED)
        self._say(now, "connection cut: address=%s serial=%s reason=%s", *about)

    def turned_away(self, address: str, why: str) -> None:
        """Count and log who did not get past the handshake: the caller itself learns little of it."""
        self.rejected[why] += 1
        self._say(self._clock(), "nobody let in from %s: %s", address or "-", why)

    def _say(self, now: float, text: str, *about: str) -> None:
        """One line a second at most, the others counted into the next: complaints must not fill a disk."""
        if now - self._said < _SAY_EVERY_S:
            self._unsaid += 1
            return
        _log.warning(text + "; %d more since the last line", *about, self._unsaid)
        self._said, self._unsaid = now, 0
