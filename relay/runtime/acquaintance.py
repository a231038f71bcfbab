"""From the registry to the parties of a plan: compiled in slices, so that calls go on meanwhile."""

import asyncio
from collections.abc import Mapping
from typing import Final

from relay.domain.registry import Registry
from relay.policy.access import Caller, Callers
from relay.policy.parties import Parties, operators_of, slots_of

SLICE: Final = 100
"""So many operators are compiled at a time: a millisecond or two, then calls have their turn."""


async def parties_of(registry: Registry, relay: str, known: Mapping[str, Caller]) -> Parties:
    """The parties of a registry; who is the same as in `known` (by org_code) is not compiled anew."""
    callers: list[Caller] = []
    for number, operator in enumerate(operators_of(registry)):
        kept = known.get(operator.org_code)
        callers.append(kept if kept is not None and kept.operator == operator else Caller.of(operator))
        if number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    return Parties(Callers.of(callers), slots_of(registry, relay))


def by_org_code(parties: Parties) -> Mapping[str, Caller]:
    """The callers of these parties, to be kept where they stay the same."""
    return {caller.operator.org_code: caller for caller in parties.callers.everyone}
