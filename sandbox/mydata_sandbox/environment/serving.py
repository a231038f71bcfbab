"""Serves the institutions, certifiers, callback and portal of a sandbox over TLS 1.3."""

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from aiohttp import web

from mydata_sandbox.certifiers.identity import UcpidService, identity_certifier
from mydata_sandbox.certifiers.signature import SignatureCertifier
from mydata_sandbox.credentials.authority import CertificateFiles
from mydata_sandbox.environment.model import SandboxEnvironment
from mydata_sandbox.environment.portal_registration import build_portal
from mydata_sandbox.institution.failure_modes import InstitutionFailures
from mydata_sandbox.institution.profile import Institution
from mydata_sandbox.institution.provider import Provider, last_day_in_korea
from mydata_sandbox.json_core.core import JsonCore
from mydata_sandbox.json_core.server import serve_json_core
from mydata_sandbox.operator import callback
from mydata_sandbox.portal.application import SimulatedPortal
from mydata_sandbox.telegram_core.core import TelegramCore
from mydata_sandbox.telegram_core.server import serve_core
from mydata_sandbox.world.model import DataHandler
from relay.domain.api import Catalogue


@asynccontextmanager
async def serve_environment(
    environment: SandboxEnvironment,
    catalogue: Catalogue,
    handlers: Mapping[str, DataHandler],
    today: Callable[[], date] = last_day_in_korea,
) -> AsyncIterator[SimulatedPortal | None]:
    """Serves institutions, certifiers and the portal (if any) over TLS 1.3 until the block ends.

    Institutions accept only the relay's certificate. Yields the portal or None.
    """
    async with AsyncExitStack() as stack:
        stack.callback(environment.close)
        relay, ca = environment.certificates.relay.certificate, environment.certificates.ca
        for institution in environment.institutions.values():
            world = _World(catalogue, handlers, today, environment.failures)
            await _serve_institution(stack, institution, world, relay)
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


@dataclass(frozen=True, slots=True)
class _World:
    """What all institutions have in common. `today` returns the last day with data."""

    catalogue: Catalogue
    handlers: Mapping[str, DataHandler]
    today: Callable[[], date]
    failures: InstitutionFailures


async def _serve_institution(stack: AsyncExitStack, institution: Institution, world: _World, relay: Path) -> None:
    if institution.settings is not None:  # its developer serves it
        return
    if institution.speaks == "telegram":
        core = TelegramCore(institution.org_code, world.catalogue, world.handlers, world.today)
        await stack.enter_async_context(serve_core(core, institution.listener))
        return
    if institution.speaks == "json":
        insurer = JsonCore(world.catalogue, world.handlers, world.today)
        await stack.enter_async_context(serve_json_core(insurer, institution.listener))
        return
    provider = Provider(
        institution.org_code, institution.industry, world.catalogue, world.handlers, world.today, world.failures
    )
    if institution.identity is None:
        raise RuntimeError(f"{institution.org_code} has no server certificate")
    context = build_server_context(institution.identity, relay)
    await _start_site(stack, provider.application(), institution.listener, context)


async def _start_site(
    stack: AsyncExitStack, app: web.Application, listener: socket.socket, context: ssl.SSLContext
) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, auto_decompress=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, listener, ssl_context=context).start()


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
