"""The signed demand (전송요구내역): strict parsing of the JSON that a customer signs, and its checks (통합인증-002).

Member names are those of operators in production; the official order and list are not public. Unknown members are
refused, because they might limit the consent.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

from relay.domain.authorization.consent import Asset, Particulars, Target
from relay.domain.ids import ORG_CODE
from relay.domain.korea import format_day, parse_day
from relay.domain.strict_json import read_object
from relay.policy.consent.particulars import LIST_ONLY_DAYS, Flaw, Scopes, find_flaws, format_days

MAX_CONSENT_BYTES: Final = 7000
"""전송요구 원문, AH(7000)."""

ALL_ASSETS: Final = "all_asset"

UNTIL_WITHDRAWN: Final = date(9999, 12, 31)
"""`period` 99991231: until the customer leaves the service or requests deletion (규격 6.2)."""

_DATE: Final = re.compile(r"[0-9]{8}")
_CYCLE: Final = re.compile(r"[1-9][0-9]?/[mwd]")
_SCOPE: Final = re.compile(r"[a-z0-9]{1,10}\.[a-z]{1,20}")
_ASSET: Final = re.compile(r"[\x21-\x7e]{1,100}")
_SEQNO: Final = re.compile(r"[0-9A-Za-z]{1,7}")
_SERVICE_ID: Final = re.compile(r"[0-9A-Za-z]{1,22}")

_BOOLEAN: Final = "true, false 중 하나"
_ALLOWED: Final[Mapping[str, str]] = {
    "consent": f"{MAX_CONSENT_BYTES}바이트까지의 JSON, 표준의 항목만",
    "snd_org_code": "aN(10)",
    "rcv_org_code": "aN(10)",
    "service_id": "aN(22)",
    "end_date": "DATE, YYYYMMDD",
    "period": "DATE, YYYYMMDD",
    "purpose": "AH(150)",
    "fnd_cycle": "1/w",
    "add_cycle": "1/w",
    "target_info": "scope와 asset_list의 JSON 배열, 같은 scope는 한 번만",
    "scope": "scope 1개",
    "asset_list": "목록 조회 scope에서는 생략, 그 밖에는 asset의 JSON 배열 또는 all_asset",
    "asset": "공백 없는 문자 100자까지",
    "seqno": "aN(7)",
}
"""Korean words for what each member may hold. Members that are missing here are flags."""

_FLAGS: Final[Mapping[str, bool]] = {"true": True, "false": False}
_MEMBERS: Final = frozenset(
    {
        "snd_org_code",
        "rcv_org_code",
        "is_scheduled",
        "fnd_cycle",
        "add_cycle",
        "end_date",
        "purpose",
        "period",
        "target_info",
        "service_id",
        "is_consent_trans_memo",
        "is_consent_merchant_name_regno",
        "is_consent_trans_category",
    }
)


class RequestType(StrEnum):
    """`request_type` of 통합인증-002: a first demand for lists (1차), a second one for assets (2차)."""

    LISTS = "0"
    ASSETS = "1"


class DemandError(Exception):
    """The demand is refused. `error` is the OAuth error (규격 3.10), `member` the name of the wrong member.

    `allowed` says in Korean what the member may hold. `more` are other wrong members. No attribute repeats a value.
    """

    def __init__(self, error: str, member: str, allowed: str, more: Sequence[Flaw] = ()) -> None:
        super().__init__(f"{error}: {member}")
        self.error = error
        self.member = member
        self.allowed = allowed
        self.more = more

    def describe(self) -> str:
        """Returns all wrong members with what they may hold, in Korean."""
        return ", ".join(f"{flaw.member} ({flaw.allowed})" for flaw in (Flaw(self.member, self.allowed), *self.more))


@dataclass(frozen=True, slots=True)
class Demand:
    """A signed demand: `sender` (snd_org_code) shall send `receiver` (rcv_org_code) the data of `particulars`."""

    sender: str
    receiver: str
    particulars: Particulars


@dataclass(frozen=True, slots=True)
class DemandContext:
    """The call that brings a demand: its institution and operator, the scopes of the industry, its request_type.

    `request_type` is None for a demand signed at an institution's own pages (개별인증). `today` is the date in Korea.
    """

    provider: str
    operator: str
    scopes: Scopes
    request_type: RequestType | None
    today: date


def read_demand(text: bytes) -> Demand:
    """Parses the demand in `text` (UTF-8 JSON). Raises DemandError invalid_request with the name of a bad member."""
    if len(text) > MAX_CONSENT_BYTES:
        raise _build_error("consent")
    try:
        members = read_object(text)
    except ValueError:
        raise _build_error("consent") from None
    if not members.keys() <= _MEMBERS:
        raise _build_error("consent")
    if "service_id" in members:
        _read_text(members, "service_id", _SERVICE_ID)
    is_scheduled = _read_flag(members, "is_scheduled")
    return Demand(
        sender=_read_text(members, "snd_org_code", ORG_CODE),
        receiver=_read_text(members, "rcv_org_code", ORG_CODE),
        particulars=Particulars(
            is_scheduled=is_scheduled,
            end_date=_read_date(members, "end_date"),
            purpose=_read_purpose(members),
            period=_read_date(members, "period"),
            targets=_read_targets(members),
            fnd_cycle=_read_cycle(members, "fnd_cycle", is_scheduled=is_scheduled),
            add_cycle=_read_cycle(members, "add_cycle", is_scheduled=is_scheduled),
            is_consent_trans_memo=_read_optional_flag(members, "is_consent_trans_memo"),
            is_consent_merchant_name_regno=_read_optional_flag(members, "is_consent_merchant_name_regno"),
            is_consent_trans_category=_read_optional_flag(members, "is_consent_trans_category"),
        ),
    )


def check_demand(demand: Demand, context: DemandContext) -> None:
    """Checks that a demand is valid for the call that brings it.

    Raises DemandError: invalid_grant for other parties or a past end_date, invalid_scope for a scope that the industry
    or the request_type does not have, invalid_request for invalid particulars.
    """
    particulars = demand.particulars
    if demand.sender != context.provider:
        raise DemandError("invalid_grant", "snd_org_code", "org_code와 같은 기관코드")
    if demand.receiver != context.operator:
        raise DemandError("invalid_grant", "rcv_org_code", "client_id를 등록한 기관의 기관코드")
    if particulars.end_date < context.today:
        raise DemandError("invalid_grant", "end_date", format_days(context.today))
    _check_request_type(particulars, context)
    if flaws := find_flaws(particulars, context.scopes, context.today):
        first, *others = flaws
        error = "invalid_scope" if first.member == "scope" else "invalid_request"
        raise DemandError(error, first.member, first.allowed, others)


def _check_request_type(particulars: Particulars, context: DemandContext) -> None:
    """Checks scopes and `period` by request_type (규격 6.2): lists for a week, or other scopes until withdrawn."""
    if context.request_type is None:
        return
    wants_lists = context.request_type is RequestType.LISTS
    if wants_lists != all(map(_is_list, particulars.scopes)):
        scopes = "목록 조회 scope만" if wants_lists else "목록 조회 외의 scope 1개 이상"
        raise DemandError("invalid_scope", "target_info", f"request_type이 {context.request_type}이면 {scopes}")
    last = context.today + timedelta(days=LIST_ONLY_DAYS)
    if wants_lists and particulars.period > last:
        raise DemandError("invalid_request", "period", format_days(context.today, last))
    if not wants_lists and particulars.period != UNTIL_WITHDRAWN:
        raise DemandError(
            "invalid_request", "period", f"request_type이 {context.request_type}이면 {format_day(UNTIL_WITHDRAWN)}"
        )


def _build_error(member: str) -> DemandError:
    return DemandError("invalid_request", member, _ALLOWED.get(member, _BOOLEAN))


def _is_list(scope: str) -> bool:
    return scope.endswith(".list")


def _read_text(members: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = members.get(name)
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise _build_error(name)
    return value


def _read_flag(members: Mapping[str, Any], name: str) -> bool:
    """Reads "true" or "false" (첨부2), or a JSON boolean, which operators of 2021 send."""
    value = members.get(name)
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in _FLAGS:
        raise _build_error(name)
    return _FLAGS[value]


def _read_optional_flag(members: Mapping[str, Any], name: str) -> bool | None:
    return _read_flag(members, name) if name in members else None


def _read_cycle(members: Mapping[str, Any], name: str, *, is_scheduled: bool) -> str:
    """Reads a cycle of a scheduled transfer. Apps send "1/w" for other transfers too; then it is ignored."""
    cycle = _read_text(members, name, _CYCLE) if is_scheduled or name in members else ""
    return cycle if is_scheduled else ""


def _read_date(members: Mapping[str, Any], name: str) -> date:
    text = _read_text(members, name, _DATE)
    try:
        return parse_day(text)
    except ValueError:
        raise _build_error(name) from None


def _read_purpose(members: Mapping[str, Any]) -> str:
    value = members.get("purpose")
    if not isinstance(value, str):
        raise _build_error("purpose")
    return value


def _read_targets(members: Mapping[str, Any]) -> tuple[Target, ...]:
    entries = members.get("target_info")
    if not isinstance(entries, list) or not entries:
        raise _build_error("target_info")
    targets = tuple(_read_target(entry) for entry in entries)
    if len({target.scope for target in targets}) != len(targets):
        raise _build_error("target_info")
    return targets


def _read_target(entry: Any) -> Target:
    if not isinstance(entry, dict) or not entry.keys() <= {"scope", "asset_list"}:
        raise _build_error("target_info")
    scope = _read_text(entry, "scope", _SCOPE)
    if _is_list(scope) != ("asset_list" not in entry):
        raise _build_error("asset_list")
    return Target(scope, None if _is_list(scope) else _read_assets(entry["asset_list"]))


def _read_assets(entries: Any) -> tuple[Asset, ...] | None:
    """Reads `asset_list`; returns None for all assets."""
    if not isinstance(entries, list) or not entries:
        raise _build_error("asset_list")
    assets = tuple(_read_asset(entry) for entry in entries)
    if assets == (Asset(ALL_ASSETS),):
        return None
    if len(set(assets)) != len(assets) or any(asset.asset == ALL_ASSETS for asset in assets):
        raise _build_error("asset_list")
    return assets


def _read_asset(entry: Any) -> Asset:
    if not isinstance(entry, dict) or not entry.keys() <= {"asset", "seqno"}:
        raise _build_error("asset_list")
    return Asset(_read_text(entry, "asset", _ASSET), _read_text(entry, "seqno", _SEQNO) if "seqno" in entry else "")
