"""What names a scheduled transfer: consent, API and the parts of the request that choose the data (규격 3.3.1)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.domain.api import Api

_NEXT_PAGE: Final = "next_page"
_OF_THE_CALL: Final = frozenset({"org_code", "search_timestamp", "limit", _NEXT_PAGE})
"""Request fields that do not choose the data: the institution is that of the consent, the others are about paging."""

_WITHOUT_QUOTA: Final = frozenset({"정보제공-공통-001", "정보제공-공통-002"})
"""APIs that the relay answers: 공통-001 has no consent, 공통-002 is the consent."""


@dataclass(frozen=True, slots=True)
class TransferRule:
    """How scheduled transfers of one API are told apart: by the values of `fields`. `has_pages` is about responses."""

    api_code: str
    fields: tuple[str, ...]
    has_pages: bool

    def describe(self, consent: bytes, parameters: Mapping[str, object]) -> bytes:
        """Returns bytes that are the same for all calls of one transfer, and for no others. They name the asset.

        `consent` has a fixed length. A number is the same value as its text. An empty text is a missing value.
        """
        values = [_to_text(parameters.get(field, "")) for field in self.fields]
        text = "".join(f"{len(value)}:{value}" for value in (self.api_code, *values))
        return consent + text.encode(errors="surrogatepass")

    def is_continuation(self, parameters: Mapping[str, object]) -> bool:
        """Whether the call asks for a page after the first."""
        return self.has_pages and bool(parameters.get(_NEXT_PAGE))


def compile_transfer_rule(api: Api) -> TransferRule | None:
    """Returns the rule of an API, None for one without a weekly quota.

    The asset chooses the data, and so do further fields that the standard requires beside it, such as the month of a
    bill. The period does not: a call for another period is a repeat.
    """
    if api.api_id in _WITHOUT_QUOTA:
        return None
    request = api.request.path + api.request.query + api.request.body
    period = frozenset((api.period.start, api.period.end)) if api.period else frozenset()
    return TransferRule(
        api_code=api.api_code,
        fields=tuple(field.name for field in request if field.name not in _OF_THE_CALL | period),
        has_pages=any(field.name == _NEXT_PAGE for field in api.response.body),
    )


def _to_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
