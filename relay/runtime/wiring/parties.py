"""From the registry to the parties of a plan: compiled in slices, so that calls go on meanwhile."""

import asyncio
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from relay.domain.registry import Registry
from relay.policy.call.access import Caller, Callers
from relay.policy.call.parties import Parties, operators_of, slots_of

SLICE: Final = 50
"""So many operators are compiled at a time: a millisecond or two, then calls have their turn."""

ADDRESSES: Final = 200
"""So many addresses are compiled at a time: one operator may have hundreds."""

MANY: Final = 1_000
"""So many operators that are new at once are put out of the collector's sight."""


async def parties_of(registry: Registry, relay: str, known: Mapping[str, Caller]) -> Parties:
    """The parties of a registry; who is the same as in `known` (by org_code) is not compiled anew."""
    callers: list[Caller] = []
    anew = addresses = 0
    with _no_collection():
        await asyncio.sleep(0)
        for number, operator in enumerate(operators_of(registry), 1):
            kept = known.get(operator.org_code)
            if kept is None or kept.operator != operator:
                kept = Caller.of(operator)
                anew += 1
                addresses += len(operator.addresses)
            callers.append(kept)
            if number % SLICE == 0 or addresses >= ADDRESSES:
                addresses = 0
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        parties = Parties(Callers.of(callers), slots_of(registry, relay))
        await asyncio.sleep(0)
        if anew >= MANY:
            gc.freeze()  # before the collector may look again
    return parties


@contextmanager
def _no_collection() -> Iterator[None]:
    """PERF: 10,000 operators are 130,000 objects that stay; looking at them all stalled calls for 18 to 66 ms.

    What is frozen afterwards is never looked at again: circles of connections that are open at that moment stay when
    these end. That is why a few changes, as they come every day, are left to the collector.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def by_org_code(parties: Parties) -> Mapping[str, Caller]:
    """The callers of these parties, to be kept where they stay the same."""
    return {caller.operator.org_code: caller for caller in parties.callers.everyone}
