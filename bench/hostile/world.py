"""Facts of the relay under test for peers and load: addresses, certificates, tokens. Stored as JSON."""

import json
import ssl
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

LOOPBACK: Final = "127.0.0.1"
HOSTILE_ADDRESS: Final = "127.0.0.66"
"""Hostile peers call from here, so that limits by address do not hit the load."""

GOOD_BANK: Final = "ZBAA000001"
HOSTILE_BANK: Final = "ZBAA000009"
NAMED_BANK: Final = "ZBAA000008"
"""An institution whose host name hangs."""

HOSTILE_OPERATOR: Final = "ZOPA000003"


@dataclass(frozen=True, slots=True)
class Caller:
    """An operator: its certificate, access tokens by institution, token calls that refresh and that bring consents."""

    org_code: str
    certificate: str
    private_key: str
    tokens: dict[str, str] = field(default_factory=dict)
    refreshes: list[dict[str, str]] = field(default_factory=list)
    signed: list[dict[str, str]] = field(default_factory=list)

    def context(self, ca: str) -> ssl.SSLContext:
        """Returns a TLS 1.3 context with this operator's certificate."""
        return client_context(ca, self.certificate, self.private_key)


@dataclass(frozen=True, slots=True)
class World:
    """One relay on loopback with its callers and institutions."""

    gateway: int
    admin: int
    pages: int
    hostile_institution: int
    ca: str
    operators: list[Caller]
    hostile: Caller
    unregistered: Caller
    foreign: Caller

    def save(self, path: Path) -> None:
        """Writes everything to a file with mode 0600."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), ensure_ascii=False))


def load_world(path: Path) -> World:
    """Reads a file of `World.save`."""
    values: dict[str, Any] = json.loads(path.read_text())
    for name in ("hostile", "unregistered", "foreign"):
        values[name] = Caller(**values[name])
    values["operators"] = [Caller(**fields) for fields in values["operators"]]
    return World(**values)


def client_context(ca: str, certificate: str = "", private_key: str = "") -> ssl.SSLContext:
    """Returns a TLS 1.3 context of a client; pages need no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(ca)
    if certificate:
        context.load_cert_chain(certificate, private_key)
    return context
