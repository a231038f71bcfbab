"""What is left out of answers because the customer did not consent to it: memos, merchants, categories (규격 6.2).

Our reading: the standard gives these fields only where 공통-002 says `true`, so in an industry that knows a flag a
consent without it counts as `false`. Where the industry does not know the flag nothing is withheld.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.domain.api import Api
from relay.domain.authorization.consent import Particulars
from relay.policy.call.member_filter import MemberFilter

_NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Flag:
    """One of a consent's three flags: the industries that know it, the fields it gives, the APIs that have them."""

    industries: frozenset[str]
    fields: frozenset[str]
    api_ids: frozenset[str]


def _flag(industries: str, fields: str, api_ids: str) -> Flag:
    return Flag(frozenset(industries.split()), frozenset(fields.split()), frozenset(api_ids.split()))


FLAGS: Final[Mapping[str, Flag]] = {
    "is_consent_trans_memo": _flag("bank invest efin", "trans_memo", "은행-004 금투-003 전금-004 전금-103"),
    "is_consent_merchant_name_regno": _flag(
        "card efin telecom bank",  # bank for its prepaid cards
        "merchant_name merchant_regno",
        "선불-004 카드-005 카드-008 카드-009 전금-004 전금-103 통신-004",
    ),
    "is_consent_trans_category": _flag("efin", "trans_category", "전금-004 전금-103"),
}
"""규격 6.2. An API without one of the fields (카드-009 and 전금-004 tell no merchant_regno) loses nothing by it."""


def _by_api() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for flag in FLAGS.values():
        for api_id in flag.api_ids:
            found[api_id] = found.get(api_id, _NOTHING) | flag.fields
    return found


_BY_API: Final = _by_api()


def fields_withheld(particulars: Particulars, industry: str) -> frozenset[str]:
    """The fields that answers of this industry must not hold under this consent: `Grant.withheld`."""
    return frozenset(
        field
        for name, flag in FLAGS.items()
        if industry in flag.industries and getattr(particulars, name) is not True
        for field in flag.fields
    )


def withheld_from(api: Api, withheld: frozenset[str]) -> frozenset[str]:
    """Which of the withheld fields this API's answer could hold; empty: its body need not be looked at."""
    # PERF: 0.1 us; most calls end at the first line
    if not withheld:
        return withheld
    return _BY_API.get(api.api_id, _NOTHING) & withheld


def without(body: bytes, fields: frozenset[str]) -> bytes:
    """A JSON answer without the members of these names, however deep, read in one piece. Raises ValueError."""
    reading = MemberFilter(body, fields)
    while not reading.read(1000):
        pass
    return reading.result
