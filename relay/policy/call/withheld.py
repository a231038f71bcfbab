"""Selects the fields that responses must not hold without consent: memos, merchants, categories (규격 6.2).

Our reading: the standard gives these fields only where 공통-002 has `true`, so in industries that have a flag, a
consent without it counts as `false`. Nothing is withheld in industries without the flag.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.domain.api import Api
from relay.domain.authorization.consent import Particulars

_NO_FIELDS: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class ConsentFlag:
    """One of the three flags of a consent: its industries, the fields it permits, the APIs that have them."""

    industries: frozenset[str]
    fields: frozenset[str]
    api_ids: frozenset[str]


def _build_flag(industries: str, fields: str, api_ids: str) -> ConsentFlag:
    return ConsentFlag(frozenset(industries.split()), frozenset(fields.split()), frozenset(api_ids.split()))


FLAGS: Final[Mapping[str, ConsentFlag]] = {
    "is_consent_trans_memo": _build_flag("bank invest efin", "trans_memo", "은행-004 금투-003 전금-004 전금-103"),
    "is_consent_merchant_name_regno": _build_flag(
        "card efin telecom bank",  # bank for its prepaid cards
        "merchant_name merchant_regno",
        "선불-004 카드-005 카드-008 카드-009 전금-004 전금-103 통신-004",
    ),
    "is_consent_trans_category": _build_flag("efin", "trans_category", "전금-004 전금-103"),
}
"""규격 6.2. APIs without one of the fields (카드-009 and 전금-004 have no merchant_regno) are not affected."""


def _index_by_api() -> dict[str, frozenset[str]]:
    fields: dict[str, frozenset[str]] = {}
    for flag in FLAGS.values():
        for api_id in flag.api_ids:
            fields[api_id] = fields.get(api_id, _NO_FIELDS) | flag.fields
    return fields


_FIELDS_BY_API: Final = _index_by_api()


def get_withheld_fields(particulars: Particulars, industry: str) -> frozenset[str]:
    """Returns the fields that responses of this industry must not hold under this consent (`Grant.withheld`)."""
    return frozenset(
        field
        for name, flag in FLAGS.items()
        if industry in flag.industries and getattr(particulars, name) is not True
        for field in flag.fields
    )


def select_withheld(api: Api, withheld: frozenset[str]) -> frozenset[str]:
    """Returns the withheld fields that this API's response could hold; if empty, its body is not filtered."""
    # PERF: 0.1 us; most calls return here
    if not withheld:
        return withheld
    return _FIELDS_BY_API.get(api.api_id, _NO_FIELDS) & withheld
