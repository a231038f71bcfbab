"""A process's copy of the portal's registry, read from the ledger and updated with its changes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from relay.domain.jobs import seconds_since
from relay.domain.ledger import LedgerDown
from relay.domain.registry import Registry, RegistryHead, RegistryReader
from relay.primitives.event_wait import wait_for_event

_log = logging.getLogger(__name__)

PAGE: Final = 200
"""Changes read at a time, three to five milliseconds; the process does other work between two pages."""

POLL_TIMEOUT_S: Final = 10.0
"""Timeout for the ledger."""

_V = TypeVar("_V")

Changed = Callable[[Registry], Awaitable[object]]
"""Called with the whole registry after each change, before the next poll."""


class RegistryFollower:
    """Holds the registry and polls for changes. `registry` is always a consistent state.

    `applied` is the registry that `changed` has applied. `clock` returns epoch seconds.
    """

    def __init__(self, source: RegistryReader, clock: Callable[[], float]) -> None:
        self._source = source
        self.clock = clock
        self._started_at = clock()
        self.registry = Registry({}, {})
        self.applied = self.registry
        self.head = RegistryHead(0, 0, 0)
        self.failures = 0

    @property
    def age(self) -> float:
        """Seconds since the leader's last successful sync; since process start when there was none."""
        return seconds_since(self.head.synced_at, self._started_at, self.clock())

    @property
    def held_seconds(self) -> float:
        """Seconds since a sync is held; 0 when none is."""
        return seconds_since(self.head.held_since, self._started_at, self.clock()) if self.head.held_since else 0.0

    async def poll(self) -> bool:
        """Polls once. Returns whether anything changed. Raises errors of the ledger, and then nothing changed."""
        head = await self._source.registry_head()
        known = self.registry
        if head.number < known.number:  # an older ledger was restored
            known = Registry({}, {})
        if head.number != known.number or known is not self.registry:
            self.registry = replace(await self._read(known), synced_at=head.synced_at)
            self.head = head
            return True
        self.head = head
        return False

    async def _read(self, known: Registry) -> Registry:
        """Reads all later changes. The last page is empty, so the result is the state at that moment."""
        organisations, services, number = dict(known.organisations), dict(known.services), known.number
        while True:
            upto, changes = await self._source.registry_after(number, PAGE)
            if not changes:
                return Registry(organisations, services, number)
            _apply_changes(organisations, changes.organisations)
            _apply_changes(services, changes.services)
            number = upto

    async def follow(self, every: float, stop: asyncio.Event, changed: Changed) -> None:
        """Polls each `every` seconds until `stop`. A change that `changed` fails to apply is tried again."""
        while not stop.is_set():
            if await wait_for_event(stop, every):
                return
            try:
                async with asyncio.timeout(POLL_TIMEOUT_S):
                    await self.poll()
                if self.applied is not self.registry:
                    await changed(self.registry)
                    self.applied = self.registry
            except (LedgerDown, TimeoutError):  # the ledger logs its outage itself
                self.failures += 1
            except Exception as error:  # any error of a driver: keep the last good registry
                if not self.failures:
                    _log.warning("registry not read: reason=%s", type(error).__name__)
                self.failures += 1
            else:
                self.failures = 0


def _apply_changes(known: dict[str, _V], changed: Mapping[str, _V | None]) -> None:
    for key, value in changed.items():
        if value is None:
            known.pop(key, None)
        else:
            known[key] = value
