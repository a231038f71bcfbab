"""The connection of a caller as the gateway uses it, and the gateway's data of it."""

import asyncio
from typing import Protocol

from relay.domain.party import Peer
from relay.policy.call.access import Caller
from relay.policy.call.plan import Plan
from relay.wire.response_source import ResponseSource


class ConnectionInfo:
    """Data of one connection: its peer, whether it exceeds a limit, and its callers under `plan`."""

    __slots__ = ("callers", "is_excess", "operator", "peer", "plan", "refused_until")

    def __init__(self, peer: Peer, *, is_excess: bool) -> None:
        self.peer = peer
        self.is_excess = is_excess
        self.plan: Plan | None = None
        self.callers: tuple[Caller, ...] = ()
        self.operator = ""
        self.refused_until = 0.0


class CallerConnection(Protocol):
    """The part of `relay.wire.server.ServerConnection` that the gateway uses; see there."""

    announced_address: str
    deadline: float
    has_served: bool
    info: ConnectionInfo
    source: ResponseSource | None
    transport: asyncio.Transport
    will_close: bool

    def send_response(self, data: bytes) -> None:
        """Sends a whole response."""

    def write(self, data: bytes) -> None:
        """Sends a part of a response."""

    def finish(self) -> None:
        """Ends the current response."""

    def abort(self) -> None:
        """Cuts a response that cannot be completed."""

    def close_after_response(self) -> None:
        """Makes the current response the last."""

    def close_when_idle(self) -> None:
        """Closes once no call is in flight."""

    def limit_to_one_call(self, wait_s: float) -> None:
        """Closes after one call, or after this time without one."""
