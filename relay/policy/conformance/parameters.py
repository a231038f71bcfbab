"""Builds the parameters of right calls: codes, periods, assets."""

from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from relay.domain.api import Api
from relay.policy.call.period import subtract_months
from relay.policy.conformance.sources import Values

LARGEST_LIMIT: Final = 500
MONTHS: Final = 12
"""Length of the period that is asked for. The standard allows it to all on-demand calls (규격 3.3.2)."""


class Period(NamedTuple):
    """First and last day or month, as they are written in a call."""

    first: str
    last: str


def list_fields(api: Api) -> tuple[str, ...]:
    """Returns the names of the request fields in path, query and body."""
    return tuple(field.name for field in (*api.request.path, *api.request.query, *api.request.body))


def has_pages(api: Api) -> bool:
    """Returns whether an API has pages."""
    return {"limit", "next_page"} <= set(list_fields(api))


def build_period(api: Api, day: date, months: int = MONTHS) -> Period | None:
    """Returns the period of `months` up to a day, None for an API without one."""
    if api.period is None:
        return None
    width = 6 if api.period.start.endswith("_month") else 8
    first, last = (f"{each:%Y%m%d}"[:width] for each in (subtract_months(day, months), day))
    return Period(first, last)


def build_parameters(api: Api, org_code: str, values: Values, day: date) -> Mapping[str, str]:
    """Returns the parameters of the first page, for the year up to a day, in the order of the standard."""
    known = {
        "org_code": org_code,
        "search_timestamp": "0",
        "limit": str(LARGEST_LIMIT),
        "charge_month": f"{subtract_months(day, 1):%Y%m}",
        **values,
    }
    period = build_period(api, day)
    if api.period is not None and period is not None:
        known |= {api.period.start: period.first, api.period.end: period.last}
    return {name: known[name] for name in list_fields(api) if name in known}
