"""The model of a sandbox: institutions, operators, certifiers, portal, and their sockets."""

import json
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from relay.sandbox.certificates import CertificateFiles, DevCertificates
from relay.sandbox.certifier_pki import CertifierPki
from relay.sandbox.portal.service import Account
from relay.sandbox.token_keys import TokenKeyPair

RELAY_CODE: Final = "ZRLA000001"
RELAY_NAME: Final = "가상중계센터"
PORTAL_CODE: Final = "ZPTL000001"
LOOPBACK: Final = "127.0.0.1"
FACTS_FILE: Final = "street.json"
INSTITUTIONS: Final = {
    "bank": ("ZBAA000001", "가온상호저축은행"),
    "card": ("ZCDA000001", "나루카드"),
    "invest": ("ZINA000001", "다솜투자증권"),
    "insu": ("ZISA000001", "라온생명손해보험"),
    "efin": ("ZEFA000001", "마루페이"),
    "capital": ("ZCPA000001", "바른길캐피탈"),
    "ginsu": ("ZGIA000001", "새벽보증보험"),
    "telecom": ("ZTEA000001", "아라텔레콤"),
    "p2p": ("ZPPA000001", "자람온라인투자"),
    "bond": ("ZBDA000001", "채움자산관리"),
    "usury": ("ZUSA000001", "한결대부"),
}
OPERATORS: Final = (
    ("ZOPA000001", "모아보기마이데이터", (("ZOPA000001SVC01", "모아보기"), ("ZOPA000001SVC02", "모아보기 가계부"))),
    ("ZOPA000002", "한눈에마이데이터", (("ZOPA000002SVC01", "한눈에"),)),
)


@dataclass(frozen=True, slots=True)
class Institution:
    """A simulated institution with its bound socket."""

    org_code: str
    name: str
    industry: str
    identity: CertificateFiles
    listener: socket.socket
    port: int


@dataclass(frozen=True, slots=True)
class OperatorProfile:
    """An operator with its services: client_ids, their secrets in the same order, one callback."""

    org_code: str
    name: str
    client_ids: tuple[str, ...]
    identity: CertificateFiles
    client_secrets: tuple[str, ...] = field(repr=False)
    callback: str


@dataclass(frozen=True, slots=True)
class Certifiers:
    """Both certifiers (통합인증기관): PKI of one, client credentials of the other, and their bound sockets."""

    pki: CertifierPki
    client_id: str
    client_secret: str = field(repr=False)
    identity_listener: socket.socket
    signature_listener: socket.socket
    pair: CertificateFiles

    @property
    def signature(self) -> str:
        """The base URL of the 전자서명인증사업자."""
        return f"https://{LOOPBACK}:{self.signature_listener.getsockname()[1]}"


@dataclass(frozen=True, slots=True)
class Portal:
    """The portal (종합포털): bound sockets, accounts by org_code, and its own account at the relay (지원-101).

    `control` is the socket of the control API: plain HTTP on loopback.
    """

    identity: CertificateFiles
    listener: socket.socket
    control: socket.socket
    accounts: Mapping[str, Account]
    offered: Account

    @property
    def url(self) -> str:
        """The base URL of 지원-001 to -006."""
        return f"https://{LOOPBACK}:{self.listener.getsockname()[1]}"

    @property
    def control_url(self) -> str:
        """The base URL of the control API."""
        return f"http://{LOOPBACK}:{self.control.getsockname()[1]}"


@dataclass(frozen=True, slots=True)
class SandboxEnvironment:
    """A sandbox that `build` created. `settings` is the relay's `relay.yaml`. `institutions` are by industry.

    `callback` is the socket of the operators' callbacks. `ledger` is the ledger's URL in the settings. `portal` is None
    when the relay reads `directory.yaml`.
    """

    folder: Path
    settings: Path
    gateway_port: int
    admin_port: int
    pages_port: int
    certificates: DevCertificates
    institutions: Mapping[str, Institution]
    operators: tuple[OperatorProfile, ...]
    certifiers: Certifiers
    callback: socket.socket
    portal: Portal | None
    ledger: str
    resources: ExitStack

    @property
    def gateway(self) -> str:
        """The gateway's base URL."""
        return f"https://{LOOPBACK}:{self.gateway_port}"

    @property
    def admin(self) -> str:
        """The admin plane's base URL."""
        return f"http://{LOOPBACK}:{self.admin_port}"

    @property
    def pages(self) -> str:
        """The base URL of the pages of individual authentication."""
        return f"https://{LOOPBACK}:{self.pages_port}"

    @property
    def token_key(self) -> TokenKeyPair:
        """The default key that signs access tokens."""
        return self.certificates.token_keys["ES256"]

    def close(self) -> None:
        """Close all sockets and unlock the folder. `opened` does this when it ends."""
        self.resources.close()


def load_facts(folder: Path) -> dict[str, Any]:
    """Returns the facts that `build` wrote into `folder` (`street.json`)."""
    facts: dict[str, Any] = json.loads((folder / FACTS_FILE).read_text())
    return facts


def load_token_key(folder: Path, algorithm: str = "ES256") -> TokenKeyPair:
    """Returns the key in `folder` that signs access tokens with `algorithm`."""
    key = load_facts(folder)["token_keys"][algorithm]
    return TokenKeyPair(key["kid"], algorithm, folder / key["private_key"], folder / key["public_key"])
