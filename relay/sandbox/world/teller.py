"""Whose story is told: all that months already told depend on, so that they can be kept and not told anew."""

import random
from dataclasses import dataclass
from typing import Final

from relay.sandbox.world.model import Ask, seeded_random

CACHED_MONTHS: Final = 512
"""How many months of each sort are remembered: a year of a few dozen assets, page after page."""


@dataclass(frozen=True, slots=True)
class CustomerSeed:
    """A house of one industry telling about one customer; unlike a question it is the same whatever is asked."""

    industry: str
    customer: int

    def seeded_random(self, *subject: object) -> random.Random:
        """The dice of `Ask.dice`."""
        return seeded_random(self.industry, self.customer, *subject)


def build_seed(request: Ask) -> CustomerSeed:
    """Who tells the answer to `ask`."""
    return CustomerSeed(request.industry, request.customer.number)
