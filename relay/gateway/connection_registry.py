"""Registers callers' connections: identifies their peers, limits their number, logs what they do wrong."""

import logging
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Final

from relay.domain.fault import FAULTS, Refusal
from relay.domain.party import Peer
from relay.gateway.caller_connection import CallerConnection, ConnectionInfo
from relay.policy.call.plan import Plan
from relay.primitives.log_throttle import LogThrottle
from relay.wire.acceptor import RejectionReason

_log = logging.getLogger(__name__)

_EXCESS_S: Final = 0.5
"""How long a connection beyond a limit may take to send the call that is refused; without a call it is closed."""

_REJECTED: Final = "connection rejected: address=%s reason=%s"
_NO_DESCRIPTORS: Final = (
    "limit of open files reached (EMFILE), new connections wait; raise it (systemd LimitNOFILE=, docker --ulimit "
    "nofile=, ulimit -Hn) or lower limits.connections: address=%s reason=%s"
)

RECORDS_EXCEEDED: Final = "tls_records_exceeded"


class ConnectionRegistry:
    """Holds the connections of callers. `identify` returns the peer of a connection; `rejected` counts by reason."""

    def __init__(
        self,
        identify: Callable[[CallerConnection], Peer],
        max_connections: int,
        max_by_peer: int,
        clock: Callable[[], float],
    ) -> None:
        self._identify = identify
        self._clock = clock
        self._max_connections = max_connections
        self._max_by_peer = max_by_peer
        self._by_peer: dict[str, dict[CallerConnection, None]] = {}
        self._count = 0
        self.connections: set[CallerConnection] = set()
        self.ended = 0
        """The number of connections that were removed."""
        self.rejected: Counter[str] = Counter()
        self._throttle = LogThrottle()

    def add(self, connection: CallerConnection) -> None:
        """Adds a connection. One beyond a limit is not counted; it closes after its first call, which is refused.

        If the peer has too many, the connection that it has not used for longest is closed instead.
        """
        peer = self._identify(connection)
        peer_key = peer.serial or peer.address
        self.connections.add(connection)
        others = self._by_peer.get(peer_key, {})
        has_place = len(others) < self._max_by_peer or self._close_idle(others)
        is_excess = not has_place or self._count >= self._max_connections
        connection.info = ConnectionInfo(peer, is_excess=is_excess)
        if is_excess:
            connection.limit_to_one_call(_EXCESS_S)
            self.log_rejected(peer.address, "connections_exceeded")
            return
        self._by_peer.setdefault(peer_key, others)[connection] = None
        self._count += 1

    def _close_idle(self, connections: dict[CallerConnection, None]) -> bool:
        """Closes one of these connections that carries no call now. Returns whether there was one.

        It is the one that was idle for longest: on one in use the next call may be on its way, and would be lost.
        """
        candidates = [each for each in connections if each.has_served and each.source is None]
        if not candidates:
            return False
        idle = min(candidates, key=lambda each: each.deadline)
        del connections[idle]
        self._count -= 1
        idle.close_when_idle()
        return True

    def remove(self, connection: CallerConnection) -> None:
        """Removes a lost connection."""
        self.connections.discard(connection)
        self.ended += 1
        peer_key = connection.info.peer.serial or connection.info.peer.address
        connections = self._by_peer.get(peer_key, {})
        if connection in connections:
            del connections[connection]
            self._count -= 1
        if not connections:
            self._by_peer.pop(peer_key, None)

    def recognise(self, plan: Plan, info: ConnectionInfo) -> None:
        """Sets the callers of a connection under this plan. Raises Refusal (40103, 40102, 42901).

        PERF: runs once for each plan and connection; otherwise the handler compares two references. A changed directory
        is a changed plan, so every request is checked against the current directory (규격 3.1).
        """
        callers = plan.callers.identify(info.peer)
        info.callers = callers
        info.operator = callers[0].operator.org_code if len(callers) == 1 else ""
        if info.is_excess:  # the callers are set, so the call is attributed; the plan is not, so each call is refused
            raise Refusal(FAULTS["connections_exceeded"])
        info.plan = plan

    def close_unknown(self, plan: Plan) -> None:
        """Closes connections of peers that this plan does not know. Calls in flight are completed."""
        for connection in list(self.connections):
            info = connection.info
            if info.plan is None:
                continue
            try:
                plan.callers.identify(info.peer)
            except Refusal:
                connection.close_when_idle()

    def close_with_next_responses(self, count: int) -> None:
        """Closes this many connections that carry no call now, each with the response to its next call.

        Their operators connect again, and may reach another worker. A connection without a further call stays.
        """
        waiting = (each for each in self.connections if each.source is None and not each.will_close)
        for connection in islice(waiting, count):
            connection.will_close = True

    def log_malformed(self, connection: CallerConnection, reason: str, now: float) -> None:
        """Logs a malformed request."""
        peer = connection.info.peer
        self._log_limited(
            now, "malformed request: address=%s serial=%s reason=%s", peer.address, peer.serial or "-", reason
        )

    def log_refusals_exceeded(self, peer: Peer, now: float) -> None:
        """Logs a peer whose refused calls exceed their rate."""
        self._log_limited(
            now, "refused calls exceed their rate: address=%s serial=%s", peer.address, peer.serial or "-"
        )

    def log_flood(self, peer: Peer, now: float) -> None:
        """Counts and logs a peer whose connection was cut for a flood of TLS records."""
        self.rejected[RECORDS_EXCEEDED] += 1
        values = (peer.address, peer.serial or "-", RECORDS_EXCEEDED)
        self._log_limited(now, "connection cut: address=%s serial=%s reason=%s", *values)

    def log_rejected(self, address: str, reason: str) -> None:
        """Counts and logs a rejected connection: with TLS 1.3 the caller itself learns little of it."""
        self.rejected[reason] += 1
        text = _NO_DESCRIPTORS if reason == RejectionReason.NO_DESCRIPTORS else _REJECTED
        self._log_limited(self._clock(), text, address or "-", reason)

    def _log_limited(self, now: float, text: str, *values: str) -> None:
        """Logs at most one line a second for each text."""
        if count := self._throttle.count_event(text, now):
            _log.warning(text + " count=%d", *values, count)
