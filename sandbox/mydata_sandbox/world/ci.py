"""Fictitious CIs of the customers, in the real format (base64 of 64 bytes, 88 characters). They never change."""

import base64
import hashlib
from typing import Final

from mydata_sandbox.world.model import CUSTOMERS, Customer


def get_ci(customer: Customer) -> str:
    """Returns the CI (연계정보) of a simulated customer."""
    return base64.b64encode(hashlib.sha512(f"pretended customer {customer.number}".encode()).digest()).decode()


CUSTOMER_BY_CI: Final = {get_ci(customer): customer for customer in CUSTOMERS}
"""Customers by the CI that a provider receives in `x-user-ci`."""
