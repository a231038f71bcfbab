"""The authority process: OAuth and support APIs on a unix socket for gateways, and the customers' pages."""

import asyncio
import logging
import os
import signal
import socket
import ssl
import time
from contextlib import AsyncExitStack
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
from relay.infra.certifiers.verification import open_consent_verifier
from relay.infra.institutions.client import HttpInstitutionClient
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.infra.process.file_limit import raise_file_limit
from relay.infra.process.heap import Heap
from relay.infra.process.interpreter import share_interpreter
from relay.infra.process.start_signals import allow_hangups
from relay.infra.registry.follower import RegistryFollower
from relay.infra.tokens.client_secrets import ClientSecrets
from relay.oauth.application import build_endpoints
from relay.oauth.dependencies import AuthorityDependencies
from relay.oauth.pages.application import build_error_response as no_page
from relay.oauth.pages.application import build_pages_application
from relay.policy.settings.authority import AuthoritySettings, PagesSettings
from relay.policy.settings.directory import Provider
from relay.policy.settings.model import Settings
from relay.portal.application import endpoints as support_endpoints
from relay.portal.dependencies import SupportDependencies
from relay.primitives.event_wait import wait_for_event
from relay.runtime.processes.child_stops import handle_stops
from relay.runtime.processes.reload import Reloader
from relay.runtime.processes.sockets import bind_socket
from relay.runtime.settings.loading import LoadedSettings, load_settings
from relay.runtime.wiring.authority import random_text
from relay.runtime.wiring.authority_state import AuthorityState, prepare_authority_state
from relay.runtime.wiring.credentials import build_pages_context
from relay.runtime.wiring.ledger import build_ledger
from relay.runtime.wiring.listener_limits import gateway_connection_limits, max_authority_files, pages_connection_limits
from relay.runtime.wiring.portal import build_probes

_log = logging.getLogger(__name__)

LEDGER_S: Final = 10.0
"""Longest transaction while a customer or operator waits; after it the response is 503."""

SWEEP_S: Final = 60.0
_GATEWAY_TIMES: Final = ConnectionTimeouts(idle_s=75.0)
"""Idle connections stay longer than the gateway keeps them: no call meets a connection that is being closed."""


class AuthorityProcess:
    """Runs the authority until `stop`. `state` is what depends on settings and registry; see `Reloader`."""

    name = "authority"
    state: AuthorityState

    def __init__(self, config: Path, *, is_child: bool = False) -> None:
        self._is_child = is_child
        self.reloader = Reloader(self, config, load_settings(config, os.environ), warns=not is_child)
        self._stop = asyncio.Event()
        self._stack = AsyncExitStack()
        self._institutions: list[HttpInstitutionClient] = []
        self._sites: list[web.BaseSite] = []
        self._heap = Heap()
        self.pages_port = 0

    async def run(self) -> None:
        """Serves until `stop`, then finishes calls in flight."""
        loop = asyncio.get_running_loop()
        settings = self.reloader.loaded.settings
        share_interpreter()
        self._heap.start()
        handle_stops(self.name, self.stop, settings.gateway.drain if self._is_child else None)
        raise_file_limit(max_authority_files(self.reloader.loaded))
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
            self._verifier = await stack.enter_async_context(
                open_consent_verifier((), settings.relay.org_code, settings.authority.verifiers)
            )
            state = self.prepare(self.reloader.loaded)
            listener = await UnixListener.open(Path(settings.authority.socket))
            stack.callback(listener.close)
            pages_socket = self._bind_pages(settings.authority.pages)
            self._build_dependencies(state, ledger)
            self.commit(state)
            await self._serve(settings.authority, listener, pages_socket, feed)
            stack.callback(feed.close)
            reloading = loop.create_task(self.reloader.run(settings.reload.watch_s))
            sweeping = loop.create_task(self._sweep(ledger))
            following = loop.create_task(self._follow_registry(settings))
            loop.add_signal_handler(signal.SIGHUP, self.reloader.request)
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

    def prepare(self, loaded: LoadedSettings) -> AuthorityState:
        """Returns the state of these settings. Changes nothing and is safe on a thread. Raises SETTINGS_ERRORS."""
        return prepare_authority_state(loaded, self._registry.registry, self._verifier)

    def join_registry(self, prepared: AuthorityState) -> AuthorityState:
        """Returns a prepared state with the registry in force. Changes nothing."""
        return prepared.with_registry(self._registry.registry)

    def prepare_token_keys(self) -> AuthorityState | None:
        """Returns the state in force with the keys now in its key folder, None if they are the same."""
        return self.state.with_current_token_keys()

    def commit(self, prepared: AuthorityState) -> None:
        """Puts a prepared state in force. Assigns only. The sweep after next closes the former institution client."""
        self.state = prepared
        self._authority.settings, self._support.settings = prepared.oauth, prepared.support
        self._authority.signer = self._support.signer = prepared.signer
        self._authority.institutions = prepared.institutions
        self._verifier.replace_certifiers(prepared.certifiers)
        if prepared.institutions not in self._institutions:
            self._institutions.append(prepared.institutions)

    async def _stop_listening(self, listener: UnixListener) -> None:
        """Stops accepting connections: the next authority may start while the last calls finish."""
        for site in self._sites:
            await site.stop()
        listener.close()

    def _build_dependencies(self, state: AuthorityState, ledger: SqlLedger) -> None:
        client_secrets = ClientSecrets(time.monotonic)
        self._stack.callback(client_secrets.close)
        probes = build_probes(self._tls_context, self.reloader.loaded.settings.adapter.socket)
        self._stack.callback(probes.close)
        self._authority = AuthorityDependencies(
            settings=state.oauth,
            ledger=ledger,
            signer=state.signer,
            secrets=client_secrets,
            institutions=state.institutions,
            consent_verifier=self._verifier,
            clock=time.time,
            random=random_text,
        )
        self._support = SupportDependencies(
            settings=state.support,
            consents=ledger,
            statistics=ledger.statistics,
            signer=state.signer,
            secrets=client_secrets,
            probe=probes,
            clock=time.time,
            random=random_text,
        )

    def _bind_pages(self, pages: PagesSettings | None) -> socket.socket | None:
        """Binds the pages' socket. Raises OSError when the port is taken."""
        if pages is None:
            return None
        pages_socket = bind_socket(pages.address, pages.port, "authority.pages.port")
        self._stack.callback(pages_socket.close)
        self.pages_port = pages_socket.getsockname()[1]
        return pages_socket

    async def _follow_registry(self, settings: Settings) -> None:
        """Applies changes of the registry until `stop`, as the gateway does."""

        async def apply(registry: Registry) -> None:
            self.commit(self.state.with_registry(registry))

        if settings.portal is not None:
            await self._registry.follow(settings.ledger.poll_s, self._stop, apply)

    async def _close_former_institutions(self, keep: int) -> None:
        """Closes all clients of institutions but the newest `keep`."""
        former = self._institutions[: len(self._institutions) - keep]
        del self._institutions[: len(former)]
        for institutions in former:
            await institutions.close()

    async def _serve(
        self,
        settings: AuthoritySettings,
        listener: UnixListener,
        pages_socket: socket.socket | None,
        feed: RevocationFeed,
    ) -> None:
        app = build_application({**build_endpoints(self._authority), **support_endpoints(self._support)}, feed)
        runner = await self._start_runner(app, no_call, _GATEWAY_TIMES, cancels=True)
        limits = gateway_connection_limits(settings)
        await self._start_site(LimitedSite(runner, listener.bind(), limits, label="authority"))
        if pages_socket is not None and settings.pages is not None:
            times = ConnectionTimeouts(**settings.pages.timeouts.model_dump())
            runner = await self._start_runner(
                build_pages_application(self._authority, self._result_key), no_page, times
            )
            limits, context = pages_connection_limits(settings.pages), build_pages_context(settings.pages)
            await self._start_site(
                LimitedSite(runner, pages_socket, limits, label="pages", context=context, handshake_s=times.handshake_s)
            )

    def _tls_context(self, provider: Provider) -> ssl.SSLContext | None:
        return self.state.contexts[provider.org_code]

    def _result_key(self, org_code: str) -> EllipticCurvePublicKey | None:
        return self.state.result_keys.get(org_code)

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

    async def _sweep(self, ledger: SqlLedger) -> None:
        """Ends consents after their last day, closes former clients and returns memory, until `stop`."""
        while not self._stop.is_set():
            try:
                if ended := await ledger.end_expired_consents(
                    await ledger.trusted_clock.get_trusted_time(int(time.time()))
                ):
                    _log.info("consents ended: consents=%d", ended)
            except Exception as error:  # any error of a driver; the next round tries again
                if not isinstance(error, LedgerDown):  # the ledger logs its own outage
                    _log.warning("consents could not be ended: error=%s", type(error).__name__)
            before = len(self._institutions)
            await wait_for_event(self._stop, SWEEP_S)
            added = len(self._institutions) - before
            await self._close_former_institutions(1 + added)  # calls may still use those replaced in this minute
            self._heap.trim()
