"""The data handlers of all sandbox institutions by api_id."""

from collections.abc import Mapping
from typing import Final

from relay.sandbox.world import (
    bank,
    bond,
    capital,
    card,
    efin,
    ginsu,
    insu,
    invest,
    irp,
    p2p,
    prepaid,
    shared,
    telecom,
)
from relay.sandbox.world.model import Story

STORIES: Final[Mapping[str, Story]] = {
    **shared.STORIES,
    **irp.STORIES,
    **prepaid.STORIES,
    **bond.STORIES,
    **bank.STORIES,
    **card.STORIES,
    **invest.STORIES,
    **insu.STORIES,
    **efin.STORIES,
    **capital.STORIES,
    **ginsu.STORIES,
    **telecom.STORIES,
    **p2p.STORIES,
}
"""One handler for each data API of the standard."""
