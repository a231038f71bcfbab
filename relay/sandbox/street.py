"""A street in a folder: certificates, settings, directory, one institution of each industry, all on loopback.

`build` writes the files and binds the institutions' sockets; `opened` lets the institutions answer. The relay itself is
started by whoever owns the street, from the `relay.yaml` written here.
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
from relay.sandbox.certificates import DevCertificates, Pair, make_dev_certificates
from relay.sandbox.certifier_identity import Desk, identity_certifier
from relay.sandbox.certifier_papers import make_certifier_papers
from relay.sandbox.certifier_signature import SignatureCertifier
from relay.sandbox.houses import (
    INSTITUTIONS,
    LOOPBACK,
    MARK,
    OPERATORS,
    PORTAL_CODE,
    RELAY_CODE,
    Certifiers,
    Institution,
    Neighbour,
    Portal,
    Street,
)
from relay.sandbox.papers import write_all
from relay.sandbox.portal.application import PretendedPortal
from relay.sandbox.portal.desk import Account
from relay.sandbox.provider import Provider, last_day_in_korea
from relay.sandbox.registered import portal_of
from relay.sandbox.secret_files import keep
from relay.sandbox.signing import IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER
from relay.sandbox.world.model import DataHandler

_LASTING: Final = hashlib.sha256(b"every customer of the sandbox is made up").digest()
"""The customers' key for a ledger elsewhere, which outlives the street: the next one must open it. It is no secret."""


def build(
    folder: Path,
    now: datetime,
    ports: tuple[int, int, int] = (0, 0, 0),
    ledger: str = "",
    *,
    portal: bool = False,
    control_port: int = 0,
) -> Street:
    """Write a street into `folder`: a new one, an empty one, or one that held a street before.

    `ports` are those wanted for gateway, admin and pages. `ledger` is a ledger's URL; without one it is a file here,
    under a key of its own. With `portal` the relay lives from the registry of a portal, whose control door wants
    `control_port`; without it from a `directory.yaml`.
    Raises FileExistsError when the folder holds anything else and BlockingIOError when a running street holds it.
    Wanted ports that are taken are replaced by free ones.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise FileExistsError(f"{folder} is not empty and holds no sandbox")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as guard:
        held = guard.enter_context(ExitStack())
        _hold(folder, held)
        street = _laid_out(folder, now, _kept_ports(ports, held), held, ledger)
        if portal:
            street = replace(street, portal=_portal(street, held, control_port))
        write_all(street)
        if ledger:
            keep(folder / "ledger.url", ledger.encode())
            keep(folder / "certs" / "customers.key", base64.b64encode(_LASTING))
        guard.pop_all()  # all went well: the street keeps what it holds
    return street


@asynccontextmanager
async def opened(
    street: Street,
    catalogue: Catalogue,
    stories: Mapping[str, DataHandler],
    today: Callable[[], date] = last_day_in_korea,
) -> AsyncIterator[PretendedPortal | None]:
    """Institutions and certifiers answer, over TLS 1.3 and to the relay's certificate alone, until the block ends.

    The portal answers too, where there is one.
    """
    async with AsyncExitStack() as stack:
        stack.callback(street.close)
        relay, ca = street.certificates.relay.certificate, street.certificates.ca
        for institution in street.institutions.values():
            provider = Provider(institution.org_code, institution.industry, catalogue, stories, today)
            context = _server_context(institution.identity, relay)
            await _site(stack, provider.application(), institution.door, context)
        certifiers = street.certifiers
        client = SignatureCertifier({certifiers.client_id: certifiers.client_secret})
        context = _server_context(certifiers.pair, ca)  # operators ask it too (통합인증-102, 103)
        await _site(stack, client.application(), certifiers.signature_door, context)
        context = _server_context(certifiers.pair, None)
        await _site(stack, callback.application(), street.callback, context)
        await stack.enter_async_context(identity_certifier(Desk.of(certifiers.papers), certifiers.identity_door))
        portal = None
        if street.portal is not None:
            portal = portal_of(street, street.portal, catalogue)
            await _site(stack, portal.application(), street.portal.door, _server_context(street.portal.identity, ca))
        yield portal


async def _site(stack: AsyncExitStack, app: web.Application, door: socket.socket, context: ssl.SSLContext) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, auto_decompress=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, door, ssl_context=context).start()


def _hold(folder: Path, held: ExitStack) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    held.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _laid_out(folder: Path, now: datetime, ports: tuple[int, ...], held: ExitStack, ledger: str) -> Street:
    certificates = make_dev_certificates(folder / "certs", now, force=True)
    back = held.enter_context(_bound())
    return Street(
        folder=folder,
        settings=folder / "relay.yaml",
        gateway_port=ports[0],
        admin_port=ports[1],
        pages_port=ports[2],
        certificates=certificates,
        institutions={
            industry: _institution(industry, certificates.providers[industry], held.enter_context(_bound()))
            for industry in INDUSTRIES
        },
        operators=tuple(
            Neighbour(
                org_code=org_code,
                name=name,
                client_ids=tuple(client_id for client_id, _ in services),
                identity=identity,
                client_secrets=tuple(secrets.token_hex(20) for _ in services),
                callback=f"https://{LOOPBACK}:{back.getsockname()[1]}{PATH}",
            )
            for (org_code, name, services), identity in zip(OPERATORS, certificates.operators, strict=True)
        ),
        callback=back,
        portal=None,
        ledger="file:ledger.url" if ledger else "sqlite:ledger.db",
        certifiers=_certifiers(certificates, now, held),
        held=held,
    )


def _certifiers(certificates: DevCertificates, now: datetime, held: ExitStack) -> Certifiers:
    return Certifiers(
        papers=make_certifier_papers(certificates.folder / "certifier", now),
        client_id="relayatcertifier",
        client_secret=secrets.token_hex(20),
        identity_door=held.enter_context(_bound()),
        signature_door=held.enter_context(_bound()),
        pair=certificates.certifiers[1],
    )


def _portal(street: Street, held: ExitStack, control_port: int) -> Portal:
    known = {RELAY_CODE: street.certificates.relay}
    known |= {operator.org_code: operator.identity for operator in street.operators}
    known |= dict(zip((IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER), street.certificates.certifiers, strict=True))
    return Portal(
        identity=street.certificates.portal,
        door=held.enter_context(_bound()),
        control=held.enter_context(_bound(control_port)),
        accounts={org_code: _account(org_code, identity) for org_code, identity in known.items()},
        offered=_account(PORTAL_CODE, street.certificates.portal),
    )


def _account(org_code: str, identity: Pair) -> Account:
    return Account(org_code, identity.serial_number or "", f"{org_code}MGMTS", secrets.token_hex(20))


def _institution(industry: str, identity: Pair, door: socket.socket) -> Institution:
    org_code, name = INSTITUTIONS[industry]
    return Institution(org_code, name, industry, identity, door, door.getsockname()[1])


def _bound(wanted: int = 0) -> socket.socket:
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((LOOPBACK, wanted))
    except OSError:
        door.bind((LOOPBACK, 0))
    door.setblocking(False)
    return door


def _kept_ports(wanted: tuple[int, ...], held: ExitStack) -> tuple[int, ...]:
    """Ports for the relay, bound here as long as the street stands, so that nobody else is given one of them.

    The relay binds them too: the kernel lets it, as nobody listens on ours and both say SO_REUSEADDR.
    """
    named_first = sorted(range(len(wanted)), key=lambda place: not wanted[place])  # or a free pick could be one of them
    doors = {place: held.enter_context(_bound(wanted[place])) for place in named_first}
    return tuple(doors[place].getsockname()[1] for place in range(len(wanted)))


def _server_context(identity: Pair, caller: Path | None) -> ssl.SSLContext:
    """`caller` is whose certificate is asked for, a CA's or the caller's own; None: nobody's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if caller is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the caller's own certificate is the anchor
        context.load_verify_locations(caller)
    context.load_cert_chain(identity.certificate, identity.private_key)
    return context
