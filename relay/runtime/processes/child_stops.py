"""Signals that stop authority and jobs. As child processes of the gateway they stop after it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from relay.infra.process.start_signals import STOPS
from relay.policy.settings.model import DrainSettings
from relay.policy.settings.stop_time import compute_gateway_stop_s

_log = logging.getLogger(__name__)

MARGIN_S: Final = 1.0
"""A child without a stopped parent stops this much later than a gateway may take."""


class DeferredStop:
    """Defers SIGTERM and SIGINT of a child process while its parent lives.

    A service manager signals all processes of a service at once (systemd's KillMode=control-group, a signal to the
    process group). The gateway then needs its authority until its last call has ended, and ends its children itself.
    The first signal stops the child after `bound_s` at the latest, a second one at once.
    """

    def __init__(self, role: str, stop: Callable[[], object], bound_s: float) -> None:
        self._role = role
        self._stop = stop
        self._bound_s = bound_s
        self._timer: asyncio.TimerHandle | None = None

    def handle_signal(self) -> None:
        """Handles one signal."""
        if self._timer is not None:
            self._stop()
            return
        self._timer = asyncio.get_running_loop().call_later(self._bound_s, self._stop)
        _log.info("stop deferred until the gateway has ended: role=%s at_most_s=%.1f", self._role, self._bound_s)


def handle_stops(role: str, stop: Callable[[], object], parent: DrainSettings | None) -> None:
    """Installs the handlers of SIGTERM and SIGINT: `stop`, deferred if the process has a `parent` that drains."""
    handler = stop
    if parent is not None:
        handler = DeferredStop(role, stop, compute_gateway_stop_s(parent) + MARGIN_S).handle_signal
    for name in STOPS:
        asyncio.get_running_loop().add_signal_handler(name, handler)
