"""A street in a folder: certificates, settings, directory, one institution of each industry, all on loopback.

`build` writes the files and binds the institutions' sockets; `opened` lets the institutions answer. The relay itself is
started by whoever owns the street, from the `relay.yaml` written here.
"""

import fcntl
import os
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import date, datetime
from pathlib import Path

from aiohttp import web

from relay.domain.api import Catalogue
from relay.domain.ids import INDUSTRIES
from relay.sandbox.certificates import Pair, make_dev_certificates
from relay.sandbox.houses import INSTITUTIONS, LOOPBACK, MARK, OPERATORS, Institution, Neighbour, Street
from relay.sandbox.papers import write_all
from relay.sandbox.provider import Provider, today_in_korea
from relay.sandbox.world.model import Story


def build(folder: Path, now: datetime, *, gateway_port: int = 0, admin_port: int = 0, pages_port: int = 0) -> Street:
    """Write a street into `folder`: a new one, an empty one, or one that held a street before.

    Raises FileExistsError when the folder holds anything else and BlockingIOError when a running street holds it.
    Wanted ports that are taken are replaced by free ones.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise FileExistsError(f"{folder} is not empty and holds no sandbox")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as guard:
        held = guard.enter_context(ExitStack())
        _hold(folder, held)
        street = _laid_out(folder, now, _free_ports(gateway_port, admin_port, pages_port), held)
        write_all(street)
        guard.pop_all()  # all went well: the street keeps what it holds
    return street


@asynccontextmanager
async def opened(
    street: Street,
    catalogue: Catalogue,
    stories: Mapping[str, Story],
    today: Callable[[], date] = today_in_korea,
) -> AsyncIterator[None]:
    """Every institution answers, over TLS 1.3 and to the relay's certificate alone, until the block ends."""
    async with AsyncExitStack() as stack:
        stack.callback(street.close)
        for institution in street.institutions.values():
            provider = Provider(institution.org_code, institution.industry, catalogue, stories, today)
            runner = web.AppRunner(provider.application(), access_log=None, shutdown_timeout=1.0, auto_decompress=False)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            context = _server_context(institution.identity, street.certificates.relay.certificate)
            await web.SockSite(runner, institution.door, ssl_context=context).start()
        yield


def _hold(folder: Path, held: ExitStack) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    held.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _laid_out(folder: Path, now: datetime, ports: tuple[int, ...], held: ExitStack) -> Street:
    certificates = make_dev_certificates(folder / "certs", now, force=True)
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
                callback=f"https://{org_code.lower()}.example/callback",
            )
            for (org_code, name, services), identity in zip(OPERATORS, certificates.operators, strict=True)
        ),
        held=held,
    )


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


def _free_ports(*wanted: int) -> tuple[int, ...]:
    with ExitStack() as held:  # all at once, so that they differ
        return tuple(held.enter_context(_bound(port)).getsockname()[1] for port in wanted)


def _server_context(identity: Pair, caller: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the caller's own certificate is the anchor
    context.load_verify_locations(caller)
    context.load_cert_chain(identity.certificate, identity.private_key)
    return context
