"""The adapter process: converts calls of gateways for institutions whose cores speak telegrams or JSON."""

import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from relay.adapter.application import build_adapter_application, build_error_response
from relay.adapter.institutions import AdapterPlan
from relay.endpoint.connections.limits import ConnectionTimeouts
from relay.endpoint.connections.site import LimitedSite
from relay.endpoint.handlers import SERVER_OPTIONS
from relay.endpoint.serving import open_runner
from relay.infra.authority.unix_listener import UnixListener
from relay.infra.process.file_limit import raise_file_limit
from relay.infra.process.interpreter import share_interpreter
from relay.infra.process.start_signals import allow_hangups
from relay.policy.call.route import compile_routes
from relay.runtime.processes.child_stops import handle_stops
from relay.runtime.processes.reload import Reloader
from relay.runtime.settings.loading import LoadedSettings, load_settings
from relay.runtime.wiring.adapter import AdapterState, prepare_adapter_state
from relay.runtime.wiring.listener_limits import adapter_connection_limits, max_adapter_files
from relay.standard.catalogue import load_catalogue

_log = logging.getLogger(__name__)

_GATEWAY_TIMES: Final = ConnectionTimeouts(idle_s=75.0)
"""Idle connections stay longer than the gateway keeps them: no call meets a connection that is being closed."""

_SHUTDOWN_S: Final = 1.0
"""Calls that are left when the adapter stops: the gateway has ended before."""


class AdapterProcess:
    """Runs the adapter until `stop`. `state` is what depends on settings; see `Reloader`."""

    name = "adapter"

    def __init__(self, config: Path, *, is_child: bool = False) -> None:
        self._is_child = is_child
        self.reloader = Reloader(self, config, load_settings(config, os.environ), warns=not is_child)
        self._stop = asyncio.Event()
        self.state: AdapterState | None = None

    async def run(self) -> None:
        """Serves until `stop`, then ends the connections to cores."""
        loop = asyncio.get_running_loop()
        settings = self.reloader.loaded.settings
        share_interpreter()
        handle_stops(self.name, self.stop, settings.gateway.drain if self._is_child else None)
        raise_file_limit(max_adapter_files(self.reloader.loaded))
        async with AsyncExitStack() as stack:
            state = self.prepare(self.reloader.loaded)
            listener = await UnixListener.open(Path(settings.adapter.socket), setting="adapter.socket")
            stack.callback(listener.close)
            stack.push_async_callback(self._close_cores)
            self.commit(state)
            site = await self._serve(stack, listener)
            reloading = loop.create_task(self.reloader.run(settings.reload.watch_s))
            stack.callback(reloading.cancel)
            loop.add_signal_handler(signal.SIGHUP, self.reloader.request)
            allow_hangups()
            _log.info("adapter ready: socket=%s institutions=%d", settings.adapter.socket, len(state.list_cores()))
            await self._stop.wait()
            await site.stop()
            listener.close()  # the next adapter may start while the last calls finish
        _log.info("adapter stopped")

    def stop(self) -> None:
        """Starts to stop."""
        self._stop.set()

    def prepare(self, loaded: LoadedSettings) -> AdapterState:
        """Returns the state of these settings. Changes nothing and is safe on a thread. Raises SETTINGS_ERRORS."""
        return prepare_adapter_state(loaded, self.state)

    def join_registry(self, prepared: AdapterState) -> AdapterState:
        """Returns the state as it is: the adapter uses no registry."""
        return prepared

    def prepare_token_keys(self) -> None:
        """Returns None: the adapter uses no token keys."""

    def commit(self, prepared: AdapterState) -> None:
        """Puts a prepared state in force: opens new connections; replaced ones end with their calls."""
        former, self.state = self.state, prepared
        if former is not None:
            for core in former.find_new_cores(prepared):
                core.retire()  # frees an address on which new ones may listen
        for core in prepared.find_new_cores(former):
            core.start()

    async def _serve(self, stack: AsyncExitStack, listener: UnixListener) -> LimitedSite:
        app = build_adapter_application(compile_routes(load_catalogue()), self._get_plan)
        runner = await stack.enter_async_context(
            open_runner(
                app,
                build_error_response,
                **SERVER_OPTIONS,
                timeouts=_GATEWAY_TIMES,
                shutdown_s=_SHUTDOWN_S,
                cancels=True,
            )
        )
        limits = adapter_connection_limits(self.reloader.loaded)
        site = LimitedSite(runner, listener.bind(), limits, label="adapter")
        await site.start()
        return site

    def _get_plan(self) -> AdapterPlan:
        assert self.state is not None  # noqa: S101 - it serves after the first commit
        return self.state.plan

    async def _close_cores(self) -> None:
        """Ends all connections."""
        if self.state is not None:
            await asyncio.gather(*(core.close() for core in self.state.list_cores()))
