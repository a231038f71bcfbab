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
from relay.sandbox.world.model import DataHandler

DATA_HANDLERS: Final[Mapping[str, DataHandler]] = {
    **shared.DATA_HANDLERS,
    **irp.DATA_HANDLERS,
    **prepaid.DATA_HANDLERS,
    **bond.DATA_HANDLERS,
    **bank.DATA_HANDLERS,
    **card.DATA_HANDLERS,
    **invest.DATA_HANDLERS,
    **insu.DATA_HANDLERS,
    **efin.DATA_HANDLERS,
    **capital.DATA_HANDLERS,
    **ginsu.DATA_HANDLERS,
    **telecom.DATA_HANDLERS,
    **p2p.DATA_HANDLERS,
}
"""One handler for each data API of the standard."""
