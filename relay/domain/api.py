"""The catalogue's nouns: an API of the standard and the fields it reads and writes (규격 4장, 6장, 첨부2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Presence(StrEnum):
    """Whether a field must be there: always, never necessarily, or under the condition its row tells."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    CONDITIONAL = "conditional"


class Cycle(StrEnum):
    """정기적 전송주기: 기본 (seldom changes) or 추가 (often changes) (규격 3.3.1)."""

    BASIC = "basic"
    ADDITIONAL = "additional"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `type` in the notation of 첨부2 (`array` for lists), `length` the maximum, in bytes for AH.

    `length` is `"p,s"` for F. `codes` is the code table (empty: free). `condition` says in the standard's words when a
    conditional field is present. `fields` are the members of an array's objects.
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
    """One direction of an API: its header, path, query and body fields and its content type ("" when bodiless)."""

    header: tuple[Field, ...]
    path: tuple[Field, ...]
    query: tuple[Field, ...]
    body: tuple[Field, ...]
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class PeriodRule:
    """조회 기간 (규격 3.3.2): the pair of fields that bound the query and the widest span of a scheduled call."""

    start: str
    end: str
    scheduled_days: int = 0
    scheduled_months: int = 0


@dataclass(frozen=True, slots=True)
class AssetRule:
    """Which request field names the asset (자산) a call is about, in path, query or body.

    `seqno` is the field of the 회차 where institutions keep accounts by it, "" where the API knows none.
    """

    field: str
    seqno: str = ""


@dataclass(frozen=True, slots=True)
class Api:
    """One API of the standard.

    `path` is the URI after the base path with `{industry}` and `{card_id}` left open; `resource` the part after the
    industry. `industries` are those that must offer it, `later` those for which it comes later ("bank*"). `scope` may
    hold `{industry}`; "" when no token is asked for. `cycle` is None outside the data APIs. `asset` is None where a
    call names no asset: lists, and what a card company tells about the customer as a whole (points, bills, loans).
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

    def path_for(self, industry: str) -> str:
        """The path of this API in one industry, `{card_id}` still open."""
        return self.path.replace("{industry}", industry)

    def scope_for(self, industry: str) -> str:
        """The scope a token needs for this API in one industry; "" when none."""
        return self.scope.replace("{industry}", industry)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All APIs of the standard by api_id, in the order of the official list."""

    apis: Mapping[str, Api]

    def data(self) -> Iterator[Api]:
        """The 76 data APIs (업권별 정보제공 API)."""
        return (api for api in self.apis.values() if api.industries)

    def of(self, industry: str, *, later: bool = False) -> Iterator[Api]:
        """The data APIs of one industry; with `later` also those that come later for it."""
        for api in self.data():
            if industry in api.industries or (later and industry in api.later):
                yield api
