"""The model of a sandbox: institutions, operators, certifiers, portal, and their sockets."""

import json
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mydata_sandbox.certifiers.profile import Certifiers
from mydata_sandbox.credentials.authority import CertificateFiles
from mydata_sandbox.credentials.certificates import DevCertificates
from mydata_sandbox.credentials.token_keys import TokenKeyPair
from mydata_sandbox.environment.relay_address import RelayAddress
from mydata_sandbox.institution.failure_modes import InstitutionFailures
from mydata_sandbox.institution.profile import Institution
from mydata_sandbox.operator.profile import OperatorProfile
from mydata_sandbox.parties import LOOPBACK, LOOPBACK_ADDRESSES
from mydata_sandbox.portal.service import Account
from mydata_sandbox.sockets import build_url

FACTS_FILE: Final = "sandbox.json"


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
        return build_url(self.listener)

    @property
    def control_url(self) -> str:
        """The base URL of the control API."""
        return build_url(self.control, "http")


@dataclass(frozen=True, slots=True)
class SandboxEnvironment:
    """A sandbox that `build` created. `settings` is the relay's `relay.yaml`.

    `institutions` are by industry, mediated ones by their name.
    `callback` is the socket of the operators' callbacks. `ledger` is the ledger's URL in the settings. `portal` is None
    when the relay reads `directory.yaml`. `relay` is None when the sandbox starts the relay itself. `failures` are the
    rules by which its institutions fail.
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
    relay: RelayAddress | None
    resources: ExitStack
    failures: InstitutionFailures

    @property
    def gateway(self) -> str:
        """The gateway's base URL."""
        return self._build_relay_url(self.gateway_port)

    @property
    def admin(self) -> str:
        """The admin plane's base URL."""
        return f"http://{LOOPBACK}:{self.admin_port}"

    @property
    def pages(self) -> str:
        """The base URL of the pages of individual authentication."""
        return self._build_relay_url(self.pages_port)

    @property
    def own_institutions(self) -> tuple[Institution, ...]:
        """The institution under development, if there is one."""
        return tuple(entry for entry in self.institutions.values() if entry.settings is not None)

    @property
    def login_institution(self) -> Institution:
        """The first institution whose customers log in at the relay's pages."""
        return next(entry for entry in self.institutions.values() if entry.has_login_pages)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of all registered parties: the sandbox's, and the relay's when it is known."""
        return LOOPBACK_ADDRESSES if self.relay is None else (*LOOPBACK_ADDRESSES, *self.relay.iter_addresses())

    @property
    def token_key(self) -> TokenKeyPair:
        """The default key that signs access tokens."""
        return self.certificates.token_keys["ES256"]

    def close(self) -> None:
        """Closes all sockets and unlocks the folder. `serve_environment` does this when it ends."""
        self.resources.close()

    def _build_relay_url(self, port: int) -> str:
        return f"https://{LOOPBACK}:{port}" if self.relay is None else self.relay.build_url(port)


def load_facts(folder: Path) -> dict[str, Any]:
    """Returns the facts that `build` wrote into `folder` (`sandbox.json`)."""
    facts: dict[str, Any] = json.loads((folder / FACTS_FILE).read_text())
    return facts
