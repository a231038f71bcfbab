"""Memory of idle mutual-TLS connections: each has made one call and stays open."""

import time
from dataclasses import dataclass
from typing import Any, Final

from harness import measure, procfs
from harness.cases import CASES
from harness.gateways import RELAY_FORMS, Gateway, RelayVariant, prepare, prepare_relay
from harness.load import generator

from parts.session import Session, raise_file_limit

FEW: Final = 200
"""Connections before the first look, so that code and pools are loaded."""

SETTLED_S: Final = 1.0
GATEWAYS: Final = (*RELAY_FORMS, "nginx_lua")
_OTHER_FILES: Final = 1000


@dataclass(frozen=True, slots=True)
class Idle:
    """Resident memory in MB without and with the connections."""

    connections: int
    before_mb: float
    with_mb: float
    after_mb: float

    def figures(self) -> dict[str, float]:
        """Returns the figures for the result."""
        kilobytes = (self.with_mb - self.before_mb) * 1024 / self.connections
        return {
            "connections": self.connections,
            "kb_each": round(kilobytes, 2),
            "before_mb": round(self.before_mb, 1),
            "with_mb": round(self.with_mb, 1),
            "after_mb": round(self.after_mb, 1),
        }


def _gateway(session: Session, name: str) -> Gateway:
    if name not in RELAY_FORMS:
        return prepare(name, session.shared)
    most = session.plan.idle + _OTHER_FILES
    limits = {"connections": most, "connections_per_operator": most}
    changes = {"gateway": {"limits": limits, "timeouts": {"idle_s": 900}}}
    return prepare_relay(session.shared, RelayVariant(f"{name}_idle", name, changes))


def _open(session: Session, gateway: Gateway, connections: int) -> tuple[float, float]:
    """Returns the memory with idle connections, and after they have ended."""
    case = CASES["get_mtls"]
    flags = [*case.flags(session.identity), "--port", str(gateway.ports.mtls)]
    flags += ["--connections", str(connections), "--once"]
    pid = session.pids[gateway.name]
    with generator(session.programs.loadgen, session.harness.core, flags) as load:
        time.sleep(SETTLED_S)
        size = procfs.rss_mb(procfs.tree(pid))
        load.go()
        session.count_errors(load.result())
    time.sleep(SETTLED_S + measure.SETTLE_S)
    return size, procfs.rss_mb(procfs.tree(pid))


def measure_idle_connections(session: Session) -> dict[str, Any]:
    """Measures each gateway once, started for this part: memory that other parts left would hide the growth."""
    count, figures = session.plan.idle, dict[str, Any]()
    raise_file_limit(2 * count + _OTHER_FILES)
    for name in (name for name in session.plan.gateways if name in GATEWAYS):
        gateway = _gateway(session, name)
        with session.started([gateway]):
            _, before = _open(session, gateway, FEW)
            with_mb, after = _open(session, gateway, count)
        idle = Idle(count, before, with_mb, after)
        figures[name] = idle.figures()
        session.say(
            f"{count:,} idle mutual-TLS connections {name:14} {before:.0f} → {with_mb:.0f} MB, "
            f"{figures[name]['kb_each']:.1f} KB each"
        )
    return {"idle_connections": figures}
