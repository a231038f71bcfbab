"""Paths and the names that all configurations share."""

import random
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BENCH: Final = Path(__file__).resolve().parent.parent
ROOT: Final = BENCH.parent
BUILD: Final = BENCH / "build"
OUT: Final = BENCH / "out"
COMPILED: Final = ROOT / "build" / "compiled"
"""A copy of the package `relay` with compiled modules, made by .ci/compile."""

RELAY: Final = "ZRLY000001"
OPERATOR: Final = "ZOPA000001"
SERIAL: Final = "1108112345"
CLIENT_ID: Final = "benchclient0001"
KID: Final = "bench"
RATE: Final = 1_000_000
"""Allowed requests per second: every gateway counts, none refuses."""

SMALL: Final = "ZBAA000001"
LARGE: Final = "ZBAA000002"
HUGE: Final = "ZBAA000003"
SIZES: Final = {SMALL: 2048, LARGE: 1 << 20, HUGE: 8 << 20}
"""Response bytes of each institution: the org_code selects the size, as every gateway routes by it."""

GET_PATH: Final = "/v1/bank/accounts"
POST_PATH: Final = "/v1/bank/accounts/deposit/transactions"
_LISTENING_PORTS: Final = range(10_000, 32_000)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one gateway's listeners."""

    plain: int
    tls: int
    mtls: int
    admin: int


def free_ports(count: int) -> list[int]:
    """Returns distinct free ports. No connection takes one before it is bound: Linux connects from 32768 on."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.choice(_LISTENING_PORTS)
        with socket.socket() as sock, suppress(OSError):  # in use
            sock.bind(("127.0.0.1", port))
            ports += [port] if port not in ports else []
    return ports


def render(template: str, values: dict[str, str | int]) -> str:
    """Returns a template with every @NAME@ replaced. Raises ValueError for unknown or unused names.

    @NAME@ because the configurations use `$` and `%` themselves.
    """
    text = template
    for name, value in values.items():
        marker = f"@{name}@"
        if marker not in text:
            raise ValueError(f"the template has no {marker}")
        text = text.replace(marker, str(value))
    left = [word for line in text.splitlines() for word in line.split("@")[1::2] if word.isupper()]
    if left:
        raise ValueError(f"no value for @{left[0]}@")
    return text
