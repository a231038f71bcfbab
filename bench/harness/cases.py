"""Benchmark cases: one kind of request through one kind of listener."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness import orders
from harness.identity import Identity
from harness.layout import BUILD, HUGE, LARGE, SIZES, SMALL
from harness.orders import Order

CONNECTIONS: Final = 64


@dataclass(frozen=True, slots=True)
class Case:
    """One case: its request, listener and institution; `shows` is its title."""

    name: str
    shows: str
    order: Callable[[str | None, str], Order]
    provider: str = SMALL
    listener: str = "plain"

    def requests(self, identity: Identity) -> Path:
        """Writes the load generator's file of requests."""
        requests = [self.order(token, self.provider) for token in identity.tokens(self.provider)]
        return orders.write(BUILD / "orders" / f"{self.name}.txt", requests)

    def flags(self, identity: Identity) -> list[str]:
        """Returns the load generator's options besides the port."""
        flags = ["--requests", str(self.requests(identity)), "--expect", str(SIZES[self.provider])]
        if self.listener != "plain":
            flags += ["--tls", "--ca", identity.path("ca.pem")]
        if self.listener == "mtls":
            flags += ["--cert", identity.path("operator.pem"), "--key", identity.path("operator.key")]
        return flags


CASES: Final = {
    case.name: case
    for case in (
        Case("get", "GET, 2 KB answer", orders.get),
        Case("post", "POST 0.2 KB, 2 KB answer", orders.post),
        Case("get_tls", "GET over TLS 1.3", orders.get, listener="tls"),
        Case("get_mtls", "GET over mutual TLS 1.3", orders.get, listener="mtls"),
        Case("get_1m", "GET, 1 MB answer", orders.get, provider=LARGE),
        Case("get_1m_mtls", "GET, 1 MB answer, mutual TLS 1.3", orders.get, provider=LARGE, listener="mtls"),
    )
}
STALL_1M: Final = Case("stall_1m", "readers that stop reading 1 MB", orders.get, provider=LARGE)
STALL_8M: Final = Case("stall_8m", "readers that stop reading 8 MB", orders.get, provider=HUGE)
