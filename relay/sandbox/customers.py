"""The customers' CI: fictitious, of the real thing's shape (base64 of 64 bytes, 88 characters), the same for ever."""

import base64
import hashlib
from typing import Final

from relay.sandbox.world.model import CUSTOMERS, Customer


def ci_of(customer: Customer) -> str:
    """The CI (연계정보) of a pretended customer."""
    return base64.b64encode(hashlib.sha512(f"pretended customer {customer.number}".encode()).digest()).decode()


CUSTOMER_BY_CI: Final = {ci_of(customer): customer for customer in CUSTOMERS}
"""Who a provider knows by the CI in `x-user-ci`."""
