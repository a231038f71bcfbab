"""The catalogue: APIs of the standard and the fields of their requests and responses (규격 4장, 6장, 첨부2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SUCCESS: Final = "00000"
"""The rsp_code of a success (첨부1)."""
UP_TO_DATE: Final = "00001"
"""The rsp_code of a success without changes since the search_timestamp."""
SUCCESS_CODES: Final = frozenset({SUCCESS, UP_TO_DATE})


class Presence(StrEnum):
    """Whether a field is required, optional, or required under the condition of its row."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    CONDITIONAL = "conditional"


class Cycle(StrEnum):
    """정기적 전송주기: 기본 (seldom changes) or 추가 (often changes) (규격 3.3.1)."""

    BASIC = "basic"
    ADDITIONAL = "additional"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `type` in the notation of 첨부2 (`array` for lists) and `length`, the maximum, in bytes for AH.

    `length` is `"p,s"` for F. `codes` is the code table, empty when values are free. `condition` quotes the standard on
    when a conditional field is present. `fields` are the members of an array's objects.
    """

    name: str
    type: str
    length: str
    presence: Presence
    label: str
    codes: Mapping[str, str]
    condition: str
    fields: tuple["Field", ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A request or response: header, path, query and body fields, and the content type ("" without a body)."""

    header: tuple[Field, ...]
    path: tuple[Field, ...]
    query: tuple[Field, ...]
    body: tuple[Field, ...]
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class PeriodRule:
    """조회 기간 (규격 3.3.2): the fields of its first and last day, and its maximum length in a scheduled call.

    `rows` are members of the response's rows: one of them lies within the period.
    """

    start: str
    end: str
    scheduled_days: int = 0
    scheduled_months: int = 0
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SortKey:
    """A member of the response's rows by which the standard sorts them (정렬)."""

    field: str
    is_descending: bool


@dataclass(frozen=True, slots=True)
class AssetRule:
    """The request field in path, query or body that names the asset (자산) of a call.

    `seqno` is the field of the 회차 where institutions keep accounts by it, "" when the API has none.
    """

    field: str
    seqno: str = ""


@dataclass(frozen=True, slots=True)
class Api:
    """One API of the standard.

    `path` is the URI after the base path with the placeholders `{industry}` and `{card_id}`; `resource` is the part
    after the industry. `industries` must offer the API, `later` must offer it at a later date ("bank*"). `scope` may
    contain `{industry}`; it is "" when no token is required. `cycle` is None except for data APIs. `asset` is None for
    calls without an asset: lists, and card data about the customer as a whole (points, bills, loans). `order` has the
    sort keys of the response's rows, first key first, none if the standard demands no order.
    """

    api_id: str
    api_code: str
    name: str
    name_en: str
    method: str
    path: str
    resource: str
    version: str
    industries: tuple[str, ...]
    later: tuple[str, ...]
    cycle: Cycle | None
    scope: str
    request: Message
    response: Message
    period: PeriodRule | None = None
    asset: AssetRule | None = None
    order: tuple[SortKey, ...] = ()

    @property
    def rows(self) -> Field | None:
        """The only list of the response, that of its rows; None without one."""
        lists = [field for field in self.response.body if field.type == "array"]
        return lists[0] if len(lists) == 1 else None

    def path_for(self, industry: str) -> str:
        """Returns the path of this API in one industry; `{card_id}` remains."""
        return self.path.replace("{industry}", industry)

    def scope_for(self, industry: str) -> str:
        """Returns the scope that a token needs for this API in one industry, "" for none."""
        return self.scope.replace("{industry}", industry)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All APIs of the standard by api_id, in the order of the official list."""

    apis: Mapping[str, Api]

    def iter_data_apis(self) -> Iterator[Api]:
        """Returns an iterator over the 76 data APIs (업권별 정보제공 API)."""
        return (api for api in self.apis.values() if api.industries)

    def iter_apis(self, industry: str, *, later: bool = False) -> Iterator[Api]:
        """Yields the data APIs of one industry; `later` includes those that it must offer at a later date."""
        for api in self.iter_data_apis():
            if industry in api.industries or (later and industry in api.later):
                yield api
