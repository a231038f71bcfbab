"""What things cost on which day: prices that rise and fall the same way for everyone."""

import hashlib
import math
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

EPOCH: Final = date(2009, 1, 1)
DRIFT: Final = 0.00011
SLOW, QUICK = (0.11, 61.0), (0.025, 5.3)
"""Height and length in days of the two waves a price rides on."""
CENT: Final = Decimal("0.01")


@lru_cache(maxsize=16_384)
def get_price(code: str, base: int, day: date, tick: Decimal = CENT) -> Decimal:
    """The price of `code` on `day`, in whole ticks, near `base` at first and drifting up."""
    days = (day - EPOCH).days
    phase = _get_phase(code)
    waves = sum(height * math.sin(days / length + phase) for height, length in (SLOW, QUICK))
    price = base * (1 + DRIFT * days) * (1 + waves)
    return round(price / float(tick)) * tick


@lru_cache(maxsize=256)
def _get_phase(code: str) -> float:
    """Where on its waves a price began: not all rise and fall together."""
    return hashlib.sha256(code.encode()).digest()[0] / 40
