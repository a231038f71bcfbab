"""How exchanges are counted, by the words of the standard: the same on gateways and where records are recounted."""

from functools import cache

from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_oauth_errors, load_rsp_codes


@cache
def counting() -> Counting:
    """The one way of counting."""
    errors = {row.error for rows in load_oauth_errors().values() for row in rows}
    return Counting(load_catalogue(), load_rsp_codes(), errors)
