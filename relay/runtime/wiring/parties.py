"""Compiles the registry into the parties of a plan, in slices, so that calls are served meanwhile."""

import asyncio
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from relay.domain.registry import Registry
from relay.policy.call.access import Caller, Callers
from relay.policy.call.parties import Parties, get_member_slots, iter_registry_operators

OPERATORS_PER_SLICE: Final = 50
"""Compiling these takes 1 to 2 ms; then the event loop serves calls."""

ADDRESSES_PER_SLICE: Final = 200
"""One operator may have hundreds of addresses."""

FREEZE_FROM: Final = 1_000
"""New operators in one update from which all objects are frozen for the garbage collector."""


async def build_parties(registry: Registry, relay: str, known: Mapping[str, Caller]) -> Parties:
    """Returns the parties of a registry. Operators that equal those of `known` (by org_code) are not recompiled."""
    callers: list[Caller] = []
    compiled = addresses = 0
    with _disable_collector():
        await asyncio.sleep(0)
        for number, operator in enumerate(iter_registry_operators(registry), 1):
            caller = known.get(operator.org_code)
            if caller is None or caller.operator != operator:
                caller = Caller.from_operator(operator)
                compiled += 1
                addresses += len(operator.addresses)
            callers.append(caller)
            if number % OPERATORS_PER_SLICE == 0 or addresses >= ADDRESSES_PER_SLICE:
                addresses = 0
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        parties = Parties(Callers.from_iterable(callers), get_member_slots(registry, relay))
        await asyncio.sleep(0)
        if compiled >= FREEZE_FROM:
            gc.freeze()  # before the next collection
    return parties


@contextmanager
def _disable_collector() -> Iterator[None]:
    """PERF: 10,000 operators are 130,000 long-lived objects; one full collection stalled calls for 18 to 66 ms.

    Frozen objects are never collected: reference cycles of connections that are open at that moment leak. Daily
    changes of a few operators are therefore left to the collector.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def callers_by_org_code(parties: Parties) -> Mapping[str, Caller]:
    """Returns the callers of these parties, for `known` of the next `build_parties`."""
    return {caller.operator.org_code: caller for caller in parties.callers.all}
