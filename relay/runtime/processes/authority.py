"""The authority process: OAuth and support APIs on a unix socket for gateways, and the customers' pages."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from relay.domain.ledger import LedgerDown
from relay.domain.registry import Registry
from relay.endpoint.connections.limits import ConnectionTimeouts
from relay.endpoint.connections.site import LimitedSite
from relay.endpoint.handlers import SERVER_OPTIONS, build_application
from relay.endpoint.handlers import build_error_response as no_call
from relay.endpoint.revocations import RevocationFeed
from relay.endpoint.serving import ErrorResponseBuilder, open_runner
from relay.infra.authority.unix_listener import UnixListener
from relay.infra.certifiers.verification import ConsentVerifier, open_consent_verifier
from relay.infra.institutions.client import HttpInstitutionClient
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.infra.process.file_limit import raise_file_limit
from relay.infra.process.hangup_signal import allow_hangups
from relay.infra.registry.follower import RegistryFollower
from relay.infra.tokens.client_secrets import ClientSecrets
from relay.oauth.application import build_endpoints
from relay.oauth.pages.application import build_error_response as no_page
from relay.oauth.pages.application import build_pages_application
from relay.oauth.services import AuthorityServices, OAuthSettings
from relay.policy.settings.authority import PagesSettings
from relay.policy.settings.directory import Provider
from relay.portal.application import endpoints as support_endpoints
from relay.portal.services import SupportServices, SupportSettings
from relay.runtime.processes.file_watch import FileWatch, list_yaml_files
from relay.runtime.processes.reload import Reloader
from relay.runtime.processes.sockets import bind_socket
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.authority import build_authority_settings, random_serial, random_text
from relay.runtime.wiring.authority_files import AuthorityFiles, open_authority_files
from relay.runtime.wiring.credentials import build_pages_context
from relay.runtime.wiring.errors import SETTINGS_ERRORS
from relay.runtime.wiring.expired_certificates import check_new_certificates
from relay.runtime.wiring.ledger import build_ledger
from relay.runtime.wiring.listener_limits import gateway_connection_limits, max_authority_files, pages_connection_limits
from relay.runtime.wiring.portal import build_probes, build_support_settings
from relay.standard.catalogue import load_catalogue

_log = logging.getLogger(__name__)

LEDGER_S: Final = 10.0
"""Longest transaction while a customer or operator waits; after it the response is 503."""

_SWEEP_S: Final = 60.0
_GATEWAY_TIMES: Final = ConnectionTimeouts(idle_s=75.0)
"""Idle connections stay longer than the gateway keeps them: no call meets a connection that is being closed."""


class AuthorityProcess:
    """Runs the authority until `stop`."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._loaded = load_settings(config, os.environ)
        self._stop = asyncio.Event()
        self._stack = AsyncExitStack()
        self._watched_files = set(self._loaded.files)
        self._file_watch = FileWatch(self._list_files)
        self._institutions: list[HttpInstitutionClient] = []
        self._sites: list[web.BaseSite] = []
        self.pages_port = 0

    async def run(self) -> None:
        """Serves until `stop`, then finishes calls in flight."""
        loop = asyncio.get_running_loop()
        settings = self._loaded.settings
        raise_file_limit(max_authority_files(self._loaded))
        async with self._stack as stack:
            ledger = build_ledger(settings.ledger, deadline_s=min(LEDGER_S, settings.authority.timeout_s))
            stack.push_async_callback(ledger.close)
            await ledger.check()
            feed = RevocationFeed()
            ledger.announce_revocations(feed.announce)
            stack.push_async_callback(self._close_former_institutions, 0)
            self._registry = RegistryFollower(ledger.registry, time.time)
            if settings.portal is not None:
                await self._registry.poll()
            client_secrets = ClientSecrets(time.monotonic)
            stack.callback(client_secrets.close)
            self._files = open_authority_files(self._loaded)
            proofs = await stack.enter_async_context(
                open_consent_verifier(self._files.certifiers, settings.relay.org_code, settings.authority.verifiers)
            )
            listener = await UnixListener.open(Path(settings.authority.socket))
            stack.callback(listener.close)
            pages_socket = self._bind_pages(settings.authority.pages)
            authority = AuthorityServices(
                settings=self._build_settings(),
                ledger=ledger,
                signer=self._files.signer,
                secrets=client_secrets,
                institutions=self._add_institutions(self._files),
                consent_verifier=proofs,
                clock=time.time,
                random=random_text,
            )
            support = self._build_support(authority, ledger, client_secrets)
            await self._serve(authority, support, listener, pages_socket, feed)
            stack.callback(feed.close)
            reloader = self._reloader(authority, support, proofs)
            reloading = loop.create_task(reloader.run(settings.reload.watch_s))
            sweeping = loop.create_task(self._sweep(authority, ledger))
            following = loop.create_task(self._follow_registry(authority, support))
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(name, self.stop)
            loop.add_signal_handler(signal.SIGHUP, reloader.request)
            allow_hangups()
            _log.info("authority ready: socket=%s pages_port=%s", settings.authority.socket, self.pages_port or "none")
            await self._stop.wait()
            await self._stop_listening(listener)
            reloading.cancel()
            await asyncio.gather(following, sweeping)  # waits for their running queries
        _log.info("authority stopped")

    def stop(self) -> None:
        """Starts to stop."""
        self._stop.set()

    def _reloader(
        self, authority: AuthorityServices, support: SupportServices, proofs: ConsentVerifier
    ) -> Reloader[AuthorityFiles]:
        def apply(files: AuthorityFiles) -> None:
            proofs.replace_certifiers(files.certifiers)
            self._files, self._loaded = files, files.loaded
            authority.institutions = self._add_institutions(files)
            authority.signer = support.signer = files.signer
            authority.settings, support.settings = self._build_settings(), self._build_support_settings()
            self._watched_files = set(files.loaded.files)
            _log.info("settings applied: role=authority plan=%s", files.loaded.generation)

        return Reloader("authority", self._file_watch, self._read, apply, self._reject, SETTINGS_ERRORS)

    def _read(self) -> AuthorityFiles:
        loaded = load_settings(self._config, os.environ)
        self._watched_files.update(loaded.files)  # also files that are missing: they trigger a reload when they appear
        files = open_authority_files(loaded)
        check_new_certificates(self._files.certificates, files.certificates, datetime.now(UTC))
        return files

    def _reject(self, error: Exception) -> None:
        self._watched_files.update(getattr(error, "files", ()))
        plan = self._loaded.generation
        _log.error("settings rejected, plan stays: role=authority plan=%s reason=%s", plan, error)

    async def _stop_listening(self, listener: UnixListener) -> None:
        """Stops accepting connections: the next authority may start while the last calls finish."""
        for site in self._sites:
            await site.stop()
        listener.close()

    def _build_support(
        self, authority: AuthorityServices, ledger: SqlLedger, client_secrets: ClientSecrets
    ) -> SupportServices:
        probes = build_probes(self._tls_context)
        self._stack.callback(probes.close)
        return SupportServices(
            settings=self._build_support_settings(),
            consents=ledger,
            statistics=ledger.statistics,
            signer=authority.signer,
            secrets=client_secrets,
            probe=probes,
            clock=time.time,
            random=random_text,
        )

    def _bind_pages(self, pages: PagesSettings | None) -> socket.socket | None:
        """Binds the pages' socket. Raises OSError when the port is taken."""
        if pages is None:
            return None
        pages_socket = bind_socket(pages.address, pages.port)
        self._stack.callback(pages_socket.close)
        self.pages_port = pages_socket.getsockname()[1]
        return pages_socket

    def _build_settings(self) -> OAuthSettings:
        return build_authority_settings(self._loaded, self._registry.registry)

    def _build_support_settings(self) -> SupportSettings | None:
        return build_support_settings(self._loaded, self._registry.registry)

    async def _follow_registry(self, authority: AuthorityServices, support: SupportServices) -> None:
        """Applies changes of the registry until `stop`, as the gateway does."""

        async def apply(_: Registry) -> None:
            authority.settings = self._build_settings()
            support.settings = self._build_support_settings()

        if self._loaded.settings.portal is not None:
            await self._registry.follow(self._loaded.settings.ledger.poll_s, self._stop, apply)

    def _add_institutions(self, files: AuthorityFiles) -> HttpInstitutionClient:
        """Returns the client of these settings; the sweep after next closes the former one."""
        relay = files.loaded.settings.relay.org_code
        institutions = HttpInstitutionClient(relay, load_catalogue(), files.tls_context, random_serial)
        self._institutions.append(institutions)
        return institutions

    async def _close_former_institutions(self, keep: int) -> None:
        """Closes all clients of institutions but the newest `keep`."""
        former = self._institutions[: len(self._institutions) - keep]
        del self._institutions[: len(former)]
        for institutions in former:
            await institutions.close()

    def _list_files(self) -> list[Path]:
        return [*self._watched_files, *list_yaml_files(Path(self._loaded.settings.providers))]

    async def _serve(
        self,
        authority: AuthorityServices,
        support: SupportServices,
        listener: UnixListener,
        pages_socket: socket.socket | None,
        feed: RevocationFeed,
    ) -> None:
        settings = self._loaded.settings.authority
        app = build_application({**build_endpoints(authority), **support_endpoints(support)}, feed)
        runner = await self._start_runner(app, no_call, _GATEWAY_TIMES, cancels=True)
        limits = gateway_connection_limits(settings)
        await self._start_site(LimitedSite(runner, listener.bind(), limits, label="authority"))
        if pages_socket is not None and settings.pages is not None:
            times = ConnectionTimeouts(**settings.pages.timeouts.model_dump())
            runner = await self._start_runner(build_pages_application(authority, self._result_key), no_page, times)
            limits, context = pages_connection_limits(settings.pages), build_pages_context(settings.pages)
            await self._start_site(
                LimitedSite(runner, pages_socket, limits, label="pages", context=context, handshake_s=times.handshake_s)
            )

    def _tls_context(self, provider: Provider) -> ssl.SSLContext | None:
        return self._files.tls_context(provider)

    def _result_key(self, org_code: str) -> EllipticCurvePublicKey | None:
        return self._files.result_keys.get(org_code)

    async def _start_runner(
        self,
        app: web.Application,
        build_error_response: ErrorResponseBuilder,
        times: ConnectionTimeouts,
        *,
        cancels: bool = False,
    ) -> web.ServerRunner:
        serving = open_runner(app, build_error_response, **SERVER_OPTIONS, timeouts=times, cancels=cancels)
        return await self._stack.enter_async_context(serving)

    async def _start_site(self, site: LimitedSite) -> None:
        self._sites.append(site)
        await site.start()

    async def _sweep(self, authority: AuthorityServices, ledger: SqlLedger) -> None:
        """Ends consents after their last day, until `stop`."""
        while not self._stop.is_set():
            try:
                if ended := await ledger.end_expired_consents(
                    await ledger.trusted_clock.get_trusted_time(int(authority.clock()))
                ):
                    _log.info("consents ended: consents=%d", ended)
            except Exception as error:  # any error of a driver; the next round tries again
                if not isinstance(error, LedgerDown):  # the ledger logs its own outage
                    _log.warning("consents could not be ended: error=%s", type(error).__name__)
            before = len(self._institutions)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _SWEEP_S)
            added = len(self._institutions) - before
            await self._close_former_institutions(1 + added)  # calls may still use those replaced in this minute
