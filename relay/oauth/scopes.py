"""The scopes of an industry, read from the standard once (규격 3.9)."""

from functools import cache

from relay.policy.consent.particulars import Scopes, get_scopes
from relay.standard.catalogue import load_catalogue


@cache
def load_scopes(industry: str) -> Scopes:
    """Returns the scopes that a consent to institutions of an industry may have."""
    return get_scopes(industry, load_catalogue())
