"""Messages between the parent of a gateway's workers and a worker, over a ControlChannel.

`relay restart` may start workers of a newer version under an older parent: unknown members are ignored, and new ones
need defaults.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from relay.policy.settings.worker_shares import WorkerShare

STATUS: Final = "status"
"""Asks for a WorkerStatus and names the answer."""

METRICS: Final = "metrics"
"""Asks for the metrics and names the answer, as OpenMetrics text. A worker also sends them at its end."""

RETIRE: Final = "retire"
"""Tells a worker to accept no more connections: a successor accepts from its sockets."""

ADOPT: Final = "adopt"
"""Tells a worker to accept also from the sockets of a slot whose worker has ended."""

RELEASE: Final = "release"
"""Tells a worker to accept no more from the sockets of another slot."""

ABORT: Final = "abort"
"""Tells a worker to end at once."""

REDUCE: Final = "reduce"
"""Tells a worker to close a number of connections, each with its next response."""


@dataclass(frozen=True, slots=True)
class WorkerStart:
    """The first message to a worker: its share, and the addresses of the listeners.

    With it come the sockets of all slots: those of the first slot in the order of the listeners, then of the next.
    """

    share: WorkerShare
    addresses: tuple[tuple[str, int], ...]

    def encode(self) -> bytes:
        """Returns the message."""
        share = self.share
        return json.dumps({"slot": share.slot, "workers": share.workers, "addresses": self.addresses}).encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Returns the start that a message describes."""
        values = json.loads(content)
        addresses = tuple((str(address), int(port)) for address, port in values["addresses"])
        return cls(WorkerShare(int(values["slot"]), int(values["workers"])), addresses)


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """State of a worker: missing parts as /readyz names them, plan, numbers of reloads and connections, public keys.

    `needs_adapter` tells whether an institution of its plan speaks telegrams.
    """

    missing: tuple[str, ...]
    plan: str = ""
    applied: int = 0
    rejected: int = 0
    connections: int = 0
    jwks: Mapping[str, Any] = field(default_factory=dict)
    needs_adapter: bool = False

    @property
    def is_listening(self) -> bool:
        """Whether the worker accepts connections."""
        return not {"listeners", "stopping"} & set(self.missing)

    def encode(self) -> bytes:
        """Returns the message."""
        members = ("missing", "plan", "applied", "rejected", "connections", "jwks", "needs_adapter")
        return json.dumps({name: getattr(self, name) for name in members}).encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Returns the status that a message describes."""
        values = json.loads(content)
        return cls(
            missing=tuple(values["missing"]),
            plan=values.get("plan", ""),
            applied=values.get("applied", 0),
            rejected=values.get("rejected", 0),
            connections=values.get("connections", 0),
            jwks=values.get("jwks", {}),
            needs_adapter=values.get("needs_adapter", False),
        )
