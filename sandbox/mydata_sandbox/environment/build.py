"""A sandbox in a folder: certificates, settings, directory, an institution of each industry.

`build` writes the files and binds the sockets; `serve_environment` serves them. The relay is started from the
`relay.yaml` of the folder: by the sandbox, or by hand (`relay`, a RelayAddress).
"""

import fcntl
import hashlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from mydata_sandbox.certifiers.pki import CertifierPki, make_certifier_pki
from mydata_sandbox.certifiers.profile import Certifiers
from mydata_sandbox.credentials.authority import CertificateFiles
from mydata_sandbox.credentials.certificates import DevCertificates, load_dev_certificates, make_dev_certificates
from mydata_sandbox.credentials.derived_secrets import SecretSource
from mydata_sandbox.environment.config_files import write_all, write_facts, write_institutions, write_ledger_url
from mydata_sandbox.environment.model import FACTS_FILE, Portal, SandboxEnvironment, load_facts
from mydata_sandbox.environment.own_institution import OwnInstitution
from mydata_sandbox.environment.relay_address import RelayAddress
from mydata_sandbox.institution.failure_modes import InstitutionFailures
from mydata_sandbox.institution.profile import Institution
from mydata_sandbox.operator.callback import PATH
from mydata_sandbox.operator.profile import OperatorProfile
from mydata_sandbox.parties import (
    IDENTITY_CERTIFIER,
    INSTITUTIONS,
    LOOPBACK,
    MEDIATED,
    OPERATORS,
    PORTAL_CODE,
    RELAY_CODE,
    SIGNATURE_CERTIFIER,
)
from mydata_sandbox.portal.service import Account
from mydata_sandbox.sockets import bind_exactly, bind_socket, build_url
from relay.domain.ids import INDUSTRIES

SCHEMES: Final = {"telegram": "tcp", "json": "http"}
"""Schemes of the URLs of mediated institutions. Their lines have no TLS."""

CERTIFICATES_FOLDER: Final = "certs"
SEED_FILE: Final = "secrets.key"
PKI_FOLDER: Final = "certifier"
CERTIFIER_CLIENT_ID: Final = "relayatcertifier"
CERTIFIER_SECRET_NAME: Final = "relay at certifier"  # noqa: S105 - the name of a derived secret
_EXTERNAL_LEDGER_KEY: Final = hashlib.sha256(b"every customer of the sandbox is made up").digest()
"""The customers' key of an external ledger: a later sandbox must read the same ledger. The key is not secret."""


def build(  # noqa: PLR0913 - what a sandbox is made of, with defaults
    folder: Path,
    now: datetime,
    ports: tuple[int, int, int] = (0, 0, 0),
    ledger: str = "",
    *,
    portal: bool = False,
    control_port: int = 0,
    relay: RelayAddress | None = None,
    own: OwnInstitution | None = None,
) -> SandboxEnvironment:
    """Writes a sandbox into `folder`, which is new, empty, or has an earlier sandbox.

    `ports` are for gateway, admin and pages, `control_port` for the portal's control API; a port in use is replaced by
    a free one. `ledger` is a ledger's URL; without one the ledger is a file in the folder, with its own key.
    With `portal` the relay gets its registry from a portal, otherwise from `directory.yaml`.
    With `relay` the relay is started by hand. A folder that has a sandbox for the same relay is used again, unchanged:
    certificates, secrets, settings and ports stay. `own` is an institution under development: it takes the place of
    the simulated one of its industry.
    Raises FileExistsError when the folder has other files or a sandbox for another relay, BlockingIOError when a
    running sandbox has locked it, OSError when a port of a sandbox that is used again is taken.
    """
    facts = _read_facts(folder)
    is_reused = relay is not None and facts.get("relay") == relay.describe()
    if facts.get("relay") and not is_reused:
        raise FileExistsError(
            f"{folder} holds the sandbox for the relay at {facts['relay']['url']}: remove it or name another folder"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        resources = stack.enter_context(ExitStack())
        _lock(folder, resources)
        if is_reused:
            environment = _load(folder, now, facts, resources, relay, own)
            if own is not None or facts.get("own_institution"):
                write_institutions(environment)
                write_facts(environment)
            return _keep(stack, environment)
        parts = _make_parts(folder, now, relay, resources, own)
        gateway, admin, pages = _choose_ports(ports, resources, relay)
        ledger_url = "file:ledger.url" if ledger else "sqlite:ledger.db"
        environment = parts.assemble((gateway, admin, pages), ledger_url, control_port if portal else None)
        write_all(environment)
        if ledger:
            write_ledger_url(environment, ledger, _EXTERNAL_LEDGER_KEY)
        return _keep(stack, environment)


def _keep(stack: ExitStack, environment: SandboxEnvironment) -> SandboxEnvironment:
    """Returns `environment`, which closes its own resources from now on."""
    stack.pop_all()
    return environment


def _read_facts(folder: Path) -> dict[str, Any]:
    """Returns the facts of an earlier sandbox, none for a new folder. Raises FileExistsError for other files."""
    if (folder / FACTS_FILE).exists():
        return load_facts(folder)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty and holds no sandbox")
    return {}


def _lock(folder: Path, resources: ExitStack) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    resources.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


Bind = Callable[[str, int], socket.socket]
"""Binds the socket of a party, by its name in the facts; the number is the wanted port."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """Certificates, secrets and sockets, new or those of an earlier run, of which a sandbox is assembled."""

    folder: Path
    certificates: DevCertificates
    pki: CertifierPki
    secrets: SecretSource
    bind: Bind = field(repr=False)
    relay: RelayAddress | None
    resources: ExitStack
    own: OwnInstitution | None = None

    def assemble(self, ports: tuple[int, int, int], ledger: str, control_port: int | None) -> SandboxEnvironment:
        """Returns the sandbox. It has a portal unless `control_port` is None."""
        callback = self.bind("callback", 0)
        gateway, admin, pages = ports
        institutions = dict(self._iter_institutions())
        return SandboxEnvironment(
            folder=self.folder,
            settings=self.folder / "relay.yaml",
            gateway_port=gateway,
            admin_port=admin,
            pages_port=pages,
            certificates=self.certificates,
            institutions=institutions,
            operators=tuple(self._iter_operators(f"{build_url(callback)}{PATH}")),
            callback=callback,
            portal=None if control_port is None else self._build_portal(control_port),
            ledger=ledger,
            certifiers=self._build_certifiers(),
            relay=self.relay,
            resources=self.resources,
            failures=InstitutionFailures(entry.org_code for entry in institutions.values() if entry.can_misbehave),
        )

    def _iter_institutions(self) -> Iterator[tuple[str, Institution]]:
        for industry in INDUSTRIES:
            if self.own is not None and self.own.industry == industry:
                yield industry, self._build_own(self.own)
                continue
            org_code, name = INSTITUTIONS[industry]
            identity, listener = self.certificates.providers[industry], self.bind(industry, 0)
            serial = identity.serial_number or ""
            yield industry, Institution(org_code, name, industry, serial, identity, listener, build_url(listener))
        for key, party in MEDIATED.items():
            listener = self.bind(key, 0)
            yield (
                key,
                Institution(
                    party.org_code,
                    party.name,
                    party.industry,
                    party.serial_num,
                    None,
                    listener,
                    build_url(listener, SCHEMES[party.speaks]),
                    party.speaks,
                    party.left_out,
                ),
            )

    def _build_own(self, own: OwnInstitution) -> Institution:
        """Returns the institution under development. The certificate is for its server; the socket stays unused."""
        identity = self.certificates.providers[own.industry]
        return Institution(
            own.org_code,
            own.name,
            own.industry,
            identity.serial_number or "",
            identity,
            self.bind(own.industry, 0),
            own.url,
            str(own.settings.get("speaks", "standard")),
            own.left_out,
            own.settings,
        )

    def _iter_operators(self, callback: str) -> Iterator[OperatorProfile]:
        for (org_code, name, services), identity in zip(OPERATORS, self.certificates.operators, strict=True):
            client_ids = tuple(client_id for client_id, _ in services)
            client_secrets = tuple(map(self.secrets.derive, client_ids))
            yield OperatorProfile(org_code, name, client_ids, identity, client_secrets, callback)

    def _build_certifiers(self) -> Certifiers:
        return Certifiers(
            pki=self.pki,
            client_id=CERTIFIER_CLIENT_ID,
            client_secret=self.secrets.derive(CERTIFIER_SECRET_NAME),
            identity_listener=self.bind("identity_certifier", 0),
            signature_listener=self.bind("signature_certifier", 0),
            pair=self.certificates.certifiers[1],
        )

    def _build_portal(self, control_port: int) -> Portal:
        identities = {RELAY_CODE: self.certificates.relay}
        identities |= {row[0]: pair for row, pair in zip(OPERATORS, self.certificates.operators, strict=True)}
        identities |= dict(zip((IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER), self.certificates.certifiers, strict=True))
        return Portal(
            identity=self.certificates.portal,
            listener=self.bind("portal", 0),
            control=self.bind("control", control_port),
            accounts={org_code: self._build_account(org_code, pair) for org_code, pair in identities.items()},
            offered=self._build_account(PORTAL_CODE, self.certificates.portal),
        )

    def _build_account(self, org_code: str, identity: CertificateFiles) -> Account:
        client_id = f"{org_code}MGMTS"
        return Account(org_code, identity.serial_number or "", client_id, self.secrets.derive(client_id))


def _make_parts(
    folder: Path, now: datetime, relay: RelayAddress | None, resources: ExitStack, own: OwnInstitution | None
) -> _Parts:
    certs = folder / CERTIFICATES_FOLDER
    address = LOOPBACK if relay is None else relay.sandbox_address
    hosts = () if relay is None else (relay.host, address)
    hosts = tuple(dict.fromkeys((*hosts, *(() if own is None else own.hosts))))

    def bind(name: str, port: int) -> socket.socket:
        return resources.enter_context(bind_socket(port, LOOPBACK if name == "control" else address))

    return _Parts(
        folder,
        make_dev_certificates(certs, now, force=True, hosts=hosts),
        make_certifier_pki(certs / PKI_FOLDER, now),
        SecretSource.make(certs / SEED_FILE),
        bind,
        relay,
        resources,
        own,
    )


def _load(
    folder: Path,
    now: datetime,
    facts: Mapping[str, Any],
    resources: ExitStack,
    relay: RelayAddress | None,
    own: OwnInstitution | None,
) -> SandboxEnvironment:
    """Returns the sandbox of an earlier run for the same relay."""
    certs, ports = folder / CERTIFICATES_FOLDER, facts["ports"]
    certificates = load_dev_certificates(certs)
    if x509.load_pem_x509_certificate(certificates.relay.certificate.read_bytes()).not_valid_after_utc <= now:
        raise FileExistsError(f"the certificates in {folder} are expired: remove the folder or name another one")
    address = LOOPBACK if relay is None else relay.sandbox_address

    def bind(name: str, _: int) -> socket.socket:
        return resources.enter_context(bind_exactly(ports[name], LOOPBACK if name == "control" else address))

    secrets = SecretSource.load(certs / SEED_FILE)
    parts = _Parts(folder, certificates, CertifierPki(certs / PKI_FOLDER), secrets, bind, relay, resources, own)
    return parts.assemble((ports["gateway"], ports["admin"], ports["pages"]), facts["ledger"], ports["control"])


def _choose_ports(
    wanted: tuple[int, int, int], resources: ExitStack, relay: RelayAddress | None
) -> tuple[int, int, int]:
    if relay is None:
        return _reserve_ports(wanted, resources)
    with ExitStack() as free:  # the relay, started by hand, binds them
        _, admin, pages = _reserve_ports((0, *wanted[1:]), free)
    return relay.port, admin, pages


def _reserve_ports(wanted: tuple[int, int, int], resources: ExitStack) -> tuple[int, int, int]:
    """Returns ports for the relay. They stay bound in this process, so that no other process gets them.

    The relay can bind them too: these sockets do not listen and both sides set SO_REUSEADDR.
    """
    requested_first = sorted(
        range(len(wanted)), key=lambda index: not wanted[index]
    )  # a free port must not take a requested one
    ports = {index: resources.enter_context(bind_socket(wanted[index])).getsockname()[1] for index in requested_first}
    return ports[0], ports[1], ports[2]
