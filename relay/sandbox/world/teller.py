"""Whose story is told: all that months already told depend on, so that they can be kept and not told anew."""

import random
from dataclasses import dataclass
from typing import Final

from relay.sandbox.world.model import Ask, dice

MONTHS_KEPT: Final = 512
"""How many months of each sort are remembered: a year of a few dozen assets, page after page."""


@dataclass(frozen=True, slots=True)
class Teller:
    """A house of one industry telling about one customer; unlike a question it is the same whatever is asked."""

    industry: str
    customer: int

    def dice(self, *about: object) -> random.Random:
        """The dice of `Ask.dice`."""
        return dice(self.industry, self.customer, *about)


def teller(ask: Ask) -> Teller:
    """Who tells the answer to `ask`."""
    return Teller(ask.industry, ask.customer.number)
