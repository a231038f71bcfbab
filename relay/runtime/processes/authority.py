"""The authority as a process: behind the gateway on a unix socket, before customers' phones with its pages."""

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

from relay.domain.ledger import Unreachable
from relay.domain.registry import Registry
from relay.endpoint.connections.limits import ConnectionTimeouts
from relay.endpoint.connections.site import LimitedSite
from relay.endpoint.handlers import RUNNER, application
from relay.endpoint.handlers import turned_away as no_call
from relay.endpoint.revocations import RevocationFeed
from relay.endpoint.serving import TurnedAway, served
from relay.infra.authority.unix_listener import UnixListener
from relay.infra.certifiers.verification import CertifierProofs, opened_proofs
from relay.infra.institutions.client import HttpInstitutions
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.infra.process.file_limit import raise_file_limit
from relay.infra.process.hangup_signal import allow_hangups
from relay.infra.registry.follower import FollowedRegistry
from relay.infra.tokens.client_secrets import ClientSecrets
from relay.oauth.application import endpoints
from relay.oauth.pages.application import pages_application
from relay.oauth.pages.application import turned_away as no_page
from relay.oauth.services import Authority, Office
from relay.policy.settings.authority import Pages
from relay.policy.settings.directory import Provider
from relay.portal.application import endpoints as support_endpoints
from relay.portal.services import Support, SupportOffice
from relay.runtime.processes.file_watch import Following, yaml_files
from relay.runtime.processes.gateway import UNUSABLE
from relay.runtime.processes.listeners import bound
from relay.runtime.processes.reload import Reloader
from relay.runtime.settings.loading import load
from relay.runtime.wiring.authority import office_of, random_text, serial
from relay.runtime.wiring.authority_files import OpenedFiles, open_files
from relay.runtime.wiring.credentials import pages_context
from relay.runtime.wiring.expired_certificates import expect_new_unexpired
from relay.runtime.wiring.ledger import ledger_of
from relay.runtime.wiring.listener_limits import authority_files, gateway_connections, pages_connections
from relay.runtime.wiring.portal import probes, support_office_of
from relay.standard.catalogue import load_catalogue

_log = logging.getLogger(__name__)

LEDGER_S: Final = 10.0
"""So long may the ledger take for one thing that a customer or operator waits for; then the answer is 503."""

_SWEEP_S: Final = 60.0
_GATEWAY_TIMES: Final = ConnectionTimeouts(idle_s=75.0)
"""A connection stays idle for longer than the gateway keeps it, so that no call meets one that is just being closed."""


class AuthorityProcess:
    """Serves the authority until it is told to stop."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._loaded = load(config, os.environ)
        self._stop = asyncio.Event()
        self._stack = AsyncExitStack()
        self._watched = set(self._loaded.files)
        self._following = Following(self._files)
        self._institutions: list[HttpInstitutions] = []
        self._sites: list[web.BaseSite] = []
        self.pages_port = 0

    async def run(self) -> None:
        """Serve until `stop`; then end what is in flight."""
        loop = asyncio.get_running_loop()
        settings = self._loaded.settings
        raise_file_limit(authority_files(self._loaded))
        async with self._stack as stack:
            ledger = ledger_of(settings.ledger, deadline_s=min(LEDGER_S, settings.authority.timeout_s))
            stack.push_async_callback(ledger.close)
            await ledger.check()
            feed = RevocationFeed()
            ledger.announce_revocations(feed.announce)
            stack.push_async_callback(self._part, 0)
            self._registry = FollowedRegistry(ledger.registry, time.time)
            if settings.portal is not None:
                await self._registry.hear()
            client_secrets = ClientSecrets(time.monotonic)
            stack.callback(client_secrets.close)
            self._opened = open_files(self._loaded)
            proofs = await stack.enter_async_context(
                opened_proofs(self._opened.certifiers, settings.relay.org_code, settings.authority.verifiers)
            )
            listener = await UnixListener.open(Path(settings.authority.socket))
            stack.callback(listener.close)
            door = self._pages_door(settings.authority.pages)
            authority = Authority(
                office=self._office(),
                ledger=ledger,
                signer=self._opened.signer,
                secrets=client_secrets,
                institutions=self._reached(self._opened),
                proofs=proofs,
                clock=time.time,
                random=random_text,
            )
            support = self._support(authority, ledger, client_secrets)
            await self._serve(authority, support, listener, door, feed)
            stack.callback(feed.close)
            reloader = self._reloader(authority, support, proofs)
            following = loop.create_task(reloader.run(settings.reload.watch_s))
            sweeping = loop.create_task(self._sweep(authority, ledger))
            listening = loop.create_task(self._listen(authority, support))
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(name, self.stop)
            loop.add_signal_handler(signal.SIGHUP, reloader.ask)
            allow_hangups()
            _log.info("authority ready: %s, pages on port %s", settings.authority.socket, self.pages_port or "none")
            await self._stop.wait()
            await self._stop_listening(listener)
            following.cancel()
            await asyncio.gather(listening, sweeping)  # what the ledger is asked just now is waited for
        _log.info("authority stopped")

    def stop(self) -> None:
        """Begin to stop."""
        self._stop.set()

    def _reloader(self, authority: Authority, support: Support, proofs: CertifierProofs) -> Reloader[OpenedFiles]:
        def take(opened: OpenedFiles) -> None:
            proofs.furnish(opened.certifiers)
            self._opened, self._loaded = opened, opened.loaded
            authority.institutions = self._reached(opened)
            authority.signer = support.signer = opened.signer
            authority.office, support.office = self._office(), self._support_office()
            self._watched = set(opened.loaded.files)
            _log.info("authority took plan %s", opened.loaded.generation)

        return Reloader("authority", self._following, self._read, take, self._refuse, UNUSABLE)

    def _read(self) -> OpenedFiles:
        loaded = load(self._config, os.environ)
        self._watched.update(loaded.files)  # also those that cannot be used yet: their coming is news
        opened = open_files(loaded)
        expect_new_unexpired(self._opened.certificates, opened.certificates, datetime.now(UTC))
        return opened

    def _refuse(self, error: Exception) -> None:
        self._watched.update(getattr(error, "files", ()))
        _log.error("settings not taken by the authority: %s", error)

    async def _stop_listening(self, listener: UnixListener) -> None:
        """Take no new connections: the next authority may begin while our last calls end."""
        for site in self._sites:
            await site.stop()
        listener.close()

    def _support(self, authority: Authority, ledger: SqlLedger, client_secrets: ClientSecrets) -> Support:
        probing = probes(self._context_of)
        self._stack.callback(probing.close)
        return Support(
            office=self._support_office(),
            consents=ledger,
            statistics=ledger.statistics,
            signer=authority.signer,
            secrets=client_secrets,
            probe=probing,
            clock=time.time,
            random=random_text,
        )

    def _pages_door(self, pages: Pages | None) -> socket.socket | None:
        """The pages' socket, bound. Raises OSError when the port is taken."""
        if pages is None:
            return None
        door = bound(pages.address, pages.port)
        self._stack.callback(door.close)
        self.pages_port = door.getsockname()[1]
        return door

    def _office(self) -> Office:
        return office_of(self._loaded, self._registry.registry)

    def _support_office(self) -> SupportOffice | None:
        return support_office_of(self._loaded, self._registry.registry)

    async def _listen(self, authority: Authority, support: Support) -> None:
        """Hear who the portal lets ask for tokens, until `stop`: it is the gateway's registry, followed likewise."""

        async def changed(_: Registry) -> None:
            authority.office = self._office()
            support.office = self._support_office()

        if self._loaded.settings.portal is not None:
            await self._registry.follow(self._loaded.settings.ledger.poll_s, self._stop, changed)

    def _reached(self, opened: OpenedFiles) -> HttpInstitutions:
        """The institutions as these settings reach them; those of before are closed by the sweep after next."""
        made = HttpInstitutions(opened.loaded.settings.relay.org_code, load_catalogue(), opened.context_of, serial)
        self._institutions.append(made)
        return made

    async def _part(self, kept: int) -> None:
        """Close the lines of all generations of institutions but the newest `kept`."""
        gone = self._institutions[: len(self._institutions) - kept]
        del self._institutions[: len(gone)]
        for institutions in gone:
            await institutions.close()

    def _files(self) -> list[Path]:
        return [*self._watched, *yaml_files(Path(self._loaded.settings.providers))]

    async def _serve(
        self,
        authority: Authority,
        support: Support,
        listener: UnixListener,
        door: socket.socket | None,
        feed: RevocationFeed,
    ) -> None:
        settings = self._loaded.settings.authority
        behind = application({**endpoints(authority), **support_endpoints(support)}, feed)
        runner = await self._runner(behind, no_call, _GATEWAY_TIMES, cancels=True)
        limits = gateway_connections(settings)
        await self._start(LimitedSite(runner, listener.bind(), limits, label="authority"))
        if door is not None and settings.pages is not None:
            times = ConnectionTimeouts(**settings.pages.timeouts.model_dump())
            runner = await self._runner(pages_application(authority, self._key_of), no_page, times)
            limits, context = pages_connections(settings.pages), pages_context(settings.pages)
            await self._start(
                LimitedSite(runner, door, limits, label="pages", context=context, handshake_s=times.handshake_s)
            )

    def _context_of(self, provider: Provider) -> ssl.SSLContext | None:
        return self._opened.context_of(provider)

    def _key_of(self, org_code: str) -> EllipticCurvePublicKey | None:
        return self._opened.result_keys.get(org_code)

    async def _runner(
        self, app: web.Application, turned_away: TurnedAway, times: ConnectionTimeouts, *, cancels: bool = False
    ) -> web.ServerRunner:
        serving = served(app, turned_away, **RUNNER, times=times, cancels=cancels)
        return await self._stack.enter_async_context(serving)

    async def _start(self, site: LimitedSite) -> None:
        self._sites.append(site)
        await site.start()

    async def _sweep(self, authority: Authority, ledger: SqlLedger) -> None:
        """End consents that are past their last day, until `stop`."""
        while not self._stop.is_set():
            try:
                if ended := await ledger.end_overdue(await ledger.time.believed(int(authority.clock()))):
                    _log.info("%d consents ended", ended)
            except Exception as error:  # whatever a driver raises; the next round comes
                if not isinstance(error, Unreachable):  # the outage of the ledger is logged by itself
                    _log.warning("consents could not be ended (%s)", type(error).__name__)
            newest = len(self._institutions)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _SWEEP_S)
            await self._part(1 + len(self._institutions) - newest)  # those of this minute may still be asked
