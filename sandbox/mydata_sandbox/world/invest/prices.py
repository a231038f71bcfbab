"""Daily prices of securities, the same for all customers."""

import hashlib
import math
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

EPOCH: Final = date(2009, 1, 1)
DRIFT: Final = 0.00011
SLOW, QUICK = (0.11, 61.0), (0.025, 5.3)
"""Amplitude and period in days of the two waves that make up a price."""
CENT: Final = Decimal("0.01")


@lru_cache(maxsize=16_384)
def get_price(code: str, base: int, day: date, tick: Decimal = CENT) -> Decimal:
    """Returns the price of `code` on `day` in whole ticks: near `base` at EPOCH, rising slowly after."""
    days = (day - EPOCH).days
    phase = _get_phase(code)
    waves = sum(height * math.sin(days / length + phase) for height, length in (SLOW, QUICK))
    price = base * (1 + DRIFT * days) * (1 + waves)
    return round(price / float(tick)) * tick


@lru_cache(maxsize=256)
def _get_phase(code: str) -> float:
    """Returns the phase of a price's waves, so that prices do not all move together."""
    return hashlib.sha256(code.encode()).digest()[0] / 40
