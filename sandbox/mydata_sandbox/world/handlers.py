"""The data handlers of all sandbox institutions by api_id."""

from collections.abc import Mapping
from typing import Final

from mydata_sandbox.world import shared
from mydata_sandbox.world.bank import bank, irp
from mydata_sandbox.world.card import card
from mydata_sandbox.world.insurance import ginsu, insu
from mydata_sandbox.world.invest import bond, invest
from mydata_sandbox.world.lending import capital, p2p
from mydata_sandbox.world.model import DataHandler
from mydata_sandbox.world.payments import efin, prepaid, telecom

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
