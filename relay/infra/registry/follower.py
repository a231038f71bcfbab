"""The portal's registry as a process knows it: read from the ledger, followed by asking what changed since."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from relay.domain.jobs import seconds_since
from relay.domain.ledger import Unreachable
from relay.domain.registry import Registry, RegistryHead, RegistrySource

_log = logging.getLogger(__name__)

PAGE: Final = 200
"""So many changes are read at a time, three to five milliseconds; between two pages the process does its other work."""

HEAR_S: Final = 10.0
"""A ledger that takes longer was not heard."""

_V = TypeVar("_V")

Changed = Callable[[Registry], Awaitable[object]]
"""Is told the whole registry after each change, before the next question is asked."""


class FollowedRegistry:
    """Remembers the registry and asks what changed. `registry` is one moment's, never half of a change.

    `clock` tells epoch seconds.
    """

    def __init__(self, source: RegistrySource, clock: Callable[[], float]) -> None:
        self._source = source
        self._clock = clock
        self._born = clock()
        self.registry = Registry({}, {})
        self._taken = self.registry
        self.head = RegistryHead(0, 0, 0)
        self.failures = 0

    @property
    def age(self) -> float:
        """Seconds since the portal was last heard by whoever leads; since our start when it never was."""
        return seconds_since(self.head.synced_at, self._born, self._clock())

    @property
    def held(self) -> float:
        """Seconds since a sync is held back; 0 when none is."""
        return seconds_since(self.head.held_since, self._born, self._clock()) if self.head.held_since else 0.0

    async def hear(self) -> bool:
        """Ask once; whether anything changed. Raises what the ledger raises, and then nothing is changed."""
        head = await self._source.registry_head()
        known = self.registry
        if head.number < known.number:  # an older ledger was brought back
            known = Registry({}, {})
        if head.number != known.number or known is not self.registry:
            self.registry = replace(await self._read(known), synced_at=head.synced_at)
            self.head = head
            return True
        self.head = head
        return False

    async def _read(self, known: Registry) -> Registry:
        """All that came after: the last page is empty, so what was read is the moment of that page."""
        organisations, services, number = dict(known.organisations), dict(known.services), known.number
        while True:
            upto, changes = await self._source.registry_after(number, PAGE)
            if not changes:
                return Registry(organisations, services, number)
            _take(organisations, changes.organisations)
            _take(services, changes.services)
            number = upto

    async def follow(self, every: float, stop: asyncio.Event, changed: Changed) -> None:
        """Ask each `every` seconds until `stop`. What could not be taken is tried again the next time."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every)
                return
            try:
                async with asyncio.timeout(HEAR_S):
                    await self.hear()
                if self._taken is not self.registry:
                    await changed(self.registry)
                    self._taken = self.registry
            except (Unreachable, TimeoutError):  # the outage of the ledger is logged by itself
                self.failures += 1
            except Exception as error:  # whatever a driver raises: the last good registry lives on
                if not self.failures:
                    _log.warning("the registry could not be followed (%s)", type(error).__name__)
                self.failures += 1
            else:
                self.failures = 0


def _take(known: dict[str, _V], changed: Mapping[str, _V | None]) -> None:
    for key, value in changed.items():
        if value is None:
            known.pop(key, None)
        else:
            known[key] = value
