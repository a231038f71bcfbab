"""How long a relay takes to stop at most, by its settings.

A service manager that waits for less kills the relay: calls in flight are cut, and counts wait for the next start.
"""

from typing import Final

from relay.policy.settings.model import DrainSettings, GatewaySettings

CUT_S: Final = 0.5
"""After `drain.finish_s` the calls left are cut; so long they have to be recorded."""

FOLLOWERS_S: Final = 0.5
"""Running queries of a gateway to the ledger."""

DELIVERY_S: Final = 2.0
"""The last statistics go to the ledger, else to the spool; the last access records go to their file."""

LEDGER_S: Final = 0.5
"""The connections to the ledger are closed."""

REPORT_S: Final = 0.5
"""A worker sends its last metrics to its parent."""

ADMIN_S: Final = 0.5
"""Requests to the admin port of a workers' parent have to end."""

CLOSE_S: Final = CUT_S + FOLLOWERS_S + DELIVERY_S + LEDGER_S + ADMIN_S + REPORT_S
"""A gateway process or worker that serves no call any more ends within this time."""

CHILDREN_S: Final = 4.0
"""Authority and jobs, which stop together after the gateway, are killed after this time."""

LOG_S: Final = 1.0
"""The last log lines are written."""

GRACE_S: Final = 30.0
"""Kubernetes' default of terminationGracePeriodSeconds: after it a process is killed."""


def compute_gateway_stop_s(drain: DrainSettings) -> float:
    """Returns the longest time from SIGTERM to the end of a gateway process, or of a worker."""
    return drain.delay_s + drain.finish_s + CLOSE_S


def compute_stop_s(gateway: GatewaySettings) -> float:
    """Returns the longest time from SIGTERM to the end of `relay serve` with all roles.

    A disk that hangs is not included: nothing but SIGKILL ends a process that waits for it.
    """
    return compute_gateway_stop_s(gateway.drain) + CHILDREN_S + LOG_S
