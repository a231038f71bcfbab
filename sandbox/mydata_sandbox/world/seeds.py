"""The seed of a customer's data, hashable, so that computed months can be cached."""

import random
from dataclasses import dataclass
from typing import Final

from mydata_sandbox.world.model import DataRequest, build_random

CACHED_MONTHS: Final = 512
"""Cached months of each kind: a year of a few dozen assets."""


@dataclass(frozen=True, slots=True)
class CustomerSeed:
    """An institution's industry and customer. Unlike a data request it does not depend on the API."""

    industry: str
    customer: int

    def build_random(self, *subject: object) -> random.Random:
        """Returns the same generator as the data request does."""
        return build_random(self.industry, self.customer, *subject)


def build_seed(request: DataRequest) -> CustomerSeed:
    """Returns the seed of a request."""
    return CustomerSeed(request.industry, request.customer.number)
