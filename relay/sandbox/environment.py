"""A sandbox in a folder: certificates, settings, directory, an institution of each industry, all on loopback.

`build` writes the files and binds the sockets. `opened` serves institutions, certifiers and portal. The caller starts
the relay from the `relay.yaml` of the folder.
"""

import base64
import fcntl
import hashlib
import os
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Final

from aiohttp import web

from relay.domain.api import Catalogue
from relay.domain.ids import INDUSTRIES
from relay.sandbox import callback
from relay.sandbox.callback import PATH
from relay.sandbox.certificates import CertificateFiles, DevCertificates, make_dev_certificates
from relay.sandbox.certifier_identity import UcpidService, identity_certifier
from relay.sandbox.certifier_pki import make_certifier_pki
from relay.sandbox.certifier_signature import SignatureCertifier
from relay.sandbox.config_files import write_all
from relay.sandbox.model import (
    FACTS_FILE,
    INSTITUTIONS,
    LOOPBACK,
    OPERATORS,
    PORTAL_CODE,
    RELAY_CODE,
    Certifiers,
    Institution,
    OperatorProfile,
    Portal,
    SandboxEnvironment,
)
from relay.sandbox.portal.application import SimulatedPortal
from relay.sandbox.portal.service import Account
from relay.sandbox.portal_registration import build_portal
from relay.sandbox.provider import Provider, last_day_in_korea
from relay.sandbox.secret_files import write_secret
from relay.sandbox.signing import IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER
from relay.sandbox.world.model import DataHandler

_EXTERNAL_LEDGER_KEY: Final = hashlib.sha256(b"every customer of the sandbox is made up").digest()
"""The customers' key of an external ledger: a later sandbox must read the same ledger. The key is not secret."""


def build(
    folder: Path,
    now: datetime,
    ports: tuple[int, int, int] = (0, 0, 0),
    ledger: str = "",
    *,
    portal: bool = False,
    control_port: int = 0,
) -> SandboxEnvironment:
    """Write a sandbox into `folder`, which is new, empty, or has an earlier sandbox.

    `ports` are for gateway, admin and pages, `control_port` for the portal's control API; a port in use is replaced by
    a free one. `ledger` is a ledger's URL; without one the ledger is a file in the folder, with its own key.
    With `portal` the relay gets its registry from a portal, otherwise from `directory.yaml`.
    Raises FileExistsError when the folder has other files, BlockingIOError when a running sandbox has locked it.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / FACTS_FILE).exists():
        raise FileExistsError(f"{folder} is not empty and holds no sandbox")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        resources = stack.enter_context(ExitStack())
        _lock(folder, resources)
        environment = _build_environment(folder, now, _reserve_ports(ports, resources), resources, ledger)
        if portal:
            environment = replace(environment, portal=_portal(environment, resources, control_port))
        write_all(environment)
        if ledger:
            write_secret(folder / "ledger.url", ledger.encode())
            write_secret(folder / "certs" / "customers.key", base64.b64encode(_EXTERNAL_LEDGER_KEY))
        stack.pop_all()  # success: the environment keeps its resources
    return environment


@asynccontextmanager
async def serve_environment(
    environment: SandboxEnvironment,
    catalogue: Catalogue,
    stories: Mapping[str, DataHandler],
    today: Callable[[], date] = last_day_in_korea,
) -> AsyncIterator[SimulatedPortal | None]:
    """Serve institutions, certifiers and the portal (if any) over TLS 1.3 until the block ends.

    Institutions accept only the relay's certificate. Yields the portal or None.
    """
    async with AsyncExitStack() as stack:
        stack.callback(environment.close)
        relay, ca = environment.certificates.relay.certificate, environment.certificates.ca
        for institution in environment.institutions.values():
            provider = Provider(institution.org_code, institution.industry, catalogue, stories, today)
            context = build_server_context(institution.identity, relay)
            await _start_site(stack, provider.application(), institution.listener, context)
        certifiers = environment.certifiers
        client = SignatureCertifier({certifiers.client_id: certifiers.client_secret})
        context = build_server_context(certifiers.pair, ca)  # operators call it too (통합인증-102, 103)
        await _start_site(stack, client.application(), certifiers.signature_listener, context)
        context = build_server_context(certifiers.pair, None)
        await _start_site(stack, callback.application(), environment.callback, context)
        await stack.enter_async_context(
            identity_certifier(UcpidService.from_pki(certifiers.pki), certifiers.identity_listener)
        )
        portal = None
        if environment.portal is not None:
            portal = build_portal(environment, environment.portal, catalogue)
            await _start_site(
                stack,
                portal.application(),
                environment.portal.listener,
                build_server_context(environment.portal.identity, ca),
            )
        yield portal


async def _start_site(
    stack: AsyncExitStack, app: web.Application, listener: socket.socket, context: ssl.SSLContext
) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, auto_decompress=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, listener, ssl_context=context).start()


def _lock(folder: Path, resources: ExitStack) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    resources.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _build_environment(
    folder: Path, now: datetime, ports: tuple[int, ...], resources: ExitStack, ledger: str
) -> SandboxEnvironment:
    certificates = make_dev_certificates(folder / "certs", now, force=True)
    callback_socket = resources.enter_context(bind_socket())
    return SandboxEnvironment(
        folder=folder,
        settings=folder / "relay.yaml",
        gateway_port=ports[0],
        admin_port=ports[1],
        pages_port=ports[2],
        certificates=certificates,
        institutions={
            industry: _institution(industry, certificates.providers[industry], resources.enter_context(bind_socket()))
            for industry in INDUSTRIES
        },
        operators=tuple(
            OperatorProfile(
                org_code=org_code,
                name=name,
                client_ids=tuple(client_id for client_id, _ in services),
                identity=identity,
                client_secrets=tuple(secrets.token_hex(20) for _ in services),
                callback=f"https://{LOOPBACK}:{callback_socket.getsockname()[1]}{PATH}",
            )
            for (org_code, name, services), identity in zip(OPERATORS, certificates.operators, strict=True)
        ),
        callback=callback_socket,
        portal=None,
        ledger="file:ledger.url" if ledger else "sqlite:ledger.db",
        certifiers=_certifiers(certificates, now, resources),
        resources=resources,
    )


def _certifiers(certificates: DevCertificates, now: datetime, resources: ExitStack) -> Certifiers:
    return Certifiers(
        pki=make_certifier_pki(certificates.folder / "certifier", now),
        client_id="relayatcertifier",
        client_secret=secrets.token_hex(20),
        identity_listener=resources.enter_context(bind_socket()),
        signature_listener=resources.enter_context(bind_socket()),
        pair=certificates.certifiers[1],
    )


def _portal(environment: SandboxEnvironment, resources: ExitStack, control_port: int) -> Portal:
    identities = {RELAY_CODE: environment.certificates.relay}
    identities |= {operator.org_code: operator.identity for operator in environment.operators}
    identities |= dict(zip((IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER), environment.certificates.certifiers, strict=True))
    return Portal(
        identity=environment.certificates.portal,
        listener=resources.enter_context(bind_socket()),
        control=resources.enter_context(bind_socket(control_port)),
        accounts={org_code: _account(org_code, identity) for org_code, identity in identities.items()},
        offered=_account(PORTAL_CODE, environment.certificates.portal),
    )


def _account(org_code: str, identity: CertificateFiles) -> Account:
    return Account(org_code, identity.serial_number or "", f"{org_code}MGMTS", secrets.token_hex(20))


def _institution(industry: str, identity: CertificateFiles, listener: socket.socket) -> Institution:
    org_code, name = INSTITUTIONS[industry]
    return Institution(org_code, name, industry, identity, listener, listener.getsockname()[1])


def bind_socket(port: int = 0) -> socket.socket:
    """Returns a socket bound to loopback. It gets a free port when `port` is in use."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError:
        listener.bind((LOOPBACK, 0))
    listener.setblocking(False)
    return listener


def _reserve_ports(wanted: tuple[int, ...], resources: ExitStack) -> tuple[int, ...]:
    """Returns ports for the relay. They stay bound in this process, so that no other process gets them.

    The relay can bind them too: these sockets do not listen and both sides set SO_REUSEADDR.
    """
    requested_first = sorted(
        range(len(wanted)), key=lambda index: not wanted[index]
    )  # a free port must not take a requested one
    sockets = {index: resources.enter_context(bind_socket(wanted[index])) for index in requested_first}
    return tuple(sockets[index].getsockname()[1] for index in range(len(wanted)))


def build_server_context(identity: CertificateFiles, caller: Path | None) -> ssl.SSLContext:
    """Returns a TLS 1.3 context. `caller` is the certificate that clients must match, a CA's or their own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if caller is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the caller's own certificate is the trust anchor
        context.load_verify_locations(caller)
    context.load_cert_chain(identity.certificate, identity.private_key)
    return context
