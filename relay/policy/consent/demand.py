"""The signed demand (전송요구내역): the JSON a customer signs, read strictly, and whether it fits (통합인증-002).

Member names are those of operators in production; the official order and list are not public. Whatever the customer
signed and we do not understand is refused: it might limit the consent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

from relay.domain.authorization.consent import Asset, Particulars, Target
from relay.domain.ids import ORG_CODE
from relay.domain.strict_json import read_object
from relay.policy.consent.particulars import LIST_ONLY_DAYS, Scopes, checked, days_allowed

CONSENT_BYTES: Final = 7000
"""전송요구 원문, AH(7000)."""

ALL_ASSETS: Final = "all_asset"

UNTIL_WITHDRAWN: Final = date(9999, 12, 31)
"""`period` 99991231: until the customer leaves the service or asks for deletion (규격 6.2)."""

_DATE: Final = re.compile(r"[0-9]{8}")
_CYCLE: Final = re.compile(r"[1-9][0-9]?/[mwd]")
_SCOPE: Final = re.compile(r"[a-z0-9]{1,10}\.[a-z]{1,20}")
_ASSET: Final = re.compile(r"[\x21-\x7e]{1,100}")
_SEQNO: Final = re.compile(r"[0-9A-Za-z]{1,7}")
_SERVICE_ID: Final = re.compile(r"[0-9A-Za-z]{1,22}")

_BOOLEAN: Final = "true, false 중 하나"
_ALLOWED: Final[Mapping[str, str]] = {
    "consent": f"{CONSENT_BYTES}바이트까지의 JSON, 표준의 항목만",
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
"""What each member may hold, where it cannot be read at all; members that are not here are flags."""

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
    """`request_type` of 통합인증-002: a first demand for lists (1차), a second one for assets of them (2차)."""

    LISTS = "0"
    ASSETS = "1"


class DemandFault(Exception):
    """The demand is not granted. `error` is the OAuth error (규격 3.10), `member` what it is about, never a value.

    `allowed` says in Korean what the member may hold.
    """

    def __init__(self, error: str, member: str, allowed: str) -> None:
        super().__init__(f"{error}: {member}")
        self.error = error
        self.member = member
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Demand:
    """A demand as it was signed: `sender` (snd_org_code) sends to `receiver` (rcv_org_code) what `particulars` say."""

    sender: str
    receiver: str
    particulars: Particulars


@dataclass(frozen=True, slots=True)
class Frame:
    """What a call allows: its provider and operator, the scopes of the industry, its request_type.

    `request_type` is None for a demand that was signed at an institution's own pages (개별인증). `today` is the day in
    Korea.
    """

    provider: str
    operator: str
    scopes: Scopes
    request_type: RequestType | None
    today: date


def read_demand(text: bytes) -> Demand:
    """The demand in `text` (UTF-8 JSON). Raises DemandFault invalid_request naming the member that cannot be read."""
    if len(text) > CONSENT_BYTES:
        raise _unreadable("consent")
    try:
        found = read_object(text)
    except ValueError:
        raise _unreadable("consent") from None
    if not found.keys() <= _MEMBERS:
        raise _unreadable("consent")
    if "service_id" in found:
        _text(found, "service_id", _SERVICE_ID)
    scheduled = _flag(found, "is_scheduled")
    return Demand(
        sender=_text(found, "snd_org_code", ORG_CODE),
        receiver=_text(found, "rcv_org_code", ORG_CODE),
        particulars=Particulars(
            is_scheduled=scheduled,
            end_date=_date(found, "end_date"),
            purpose=_purpose(found),
            period=_date(found, "period"),
            targets=_targets(found),
            fnd_cycle=_cycle(found, "fnd_cycle", scheduled=scheduled),
            add_cycle=_cycle(found, "add_cycle", scheduled=scheduled),
            is_consent_trans_memo=_optional_flag(found, "is_consent_trans_memo"),
            is_consent_merchant_name_regno=_optional_flag(found, "is_consent_merchant_name_regno"),
            is_consent_trans_category=_optional_flag(found, "is_consent_trans_category"),
        ),
    )


def fit(demand: Demand, frame: Frame) -> None:
    """The demand is one that this call may bring.

    Raises DemandFault: invalid_grant when it was given to others or is over, invalid_scope for a scope that
    the industry or the request_type does not have, invalid_request for particulars that no consent may have.
    """
    told = demand.particulars
    if demand.sender != frame.provider:
        raise DemandFault("invalid_grant", "snd_org_code", "org_code와 같은 기관코드")
    if demand.receiver != frame.operator:
        raise DemandFault("invalid_grant", "rcv_org_code", "client_id를 등록한 기관의 기관코드")
    if told.end_date < frame.today:
        raise DemandFault("invalid_grant", "end_date", days_allowed(frame.today))
    _fit_request_type(told, frame)
    for flaw in checked(told, frame.scopes, frame.today):
        error = "invalid_scope" if flaw.member == "scope" else "invalid_request"
        raise DemandFault(error, flaw.member, flaw.allowed)


def _fit_request_type(told: Particulars, frame: Frame) -> None:
    """Hold scopes and `period` to request_type (규격 6.2): lists for a week, or more than lists until withdrawn."""
    if frame.request_type is None:
        return
    lists = frame.request_type is RequestType.LISTS
    if lists != all(map(_is_list, told.scopes)):
        scopes = "목록 조회 scope만" if lists else "목록 조회 외의 scope 1개 이상"
        raise DemandFault("invalid_scope", "target_info", f"request_type이 {frame.request_type}이면 {scopes}")
    last = frame.today + timedelta(days=LIST_ONLY_DAYS)
    if lists and told.period > last:
        raise DemandFault("invalid_request", "period", days_allowed(frame.today, last))
    if not lists and told.period != UNTIL_WITHDRAWN:
        raise DemandFault(
            "invalid_request", "period", f"request_type이 {frame.request_type}이면 {UNTIL_WITHDRAWN:%Y%m%d}"
        )


def _unreadable(member: str) -> DemandFault:
    return DemandFault("invalid_request", member, _ALLOWED.get(member, _BOOLEAN))


def _is_list(scope: str) -> bool:
    return scope.endswith(".list")


def _text(found: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = found.get(name)
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise _unreadable(name)
    return value


def _flag(found: Mapping[str, Any], name: str) -> bool:
    """Read "true" or "false" (첨부2), or a JSON boolean as operators of 2021 write it."""
    value = found.get(name)
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in _FLAGS:
        raise _unreadable(name)
    return _FLAGS[value]


def _optional_flag(found: Mapping[str, Any], name: str) -> bool | None:
    return _flag(found, name) if name in found else None


def _cycle(found: Mapping[str, Any], name: str, *, scheduled: bool) -> str:
    """How often, only if regularly at all; apps send "1/w" in either case, and then it says nothing."""
    told = _text(found, name, _CYCLE) if scheduled or name in found else ""
    return told if scheduled else ""


def _date(found: Mapping[str, Any], name: str) -> date:
    text = _text(found, name, _DATE)
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        raise _unreadable(name) from None


def _purpose(found: Mapping[str, Any]) -> str:
    value = found.get("purpose")
    if not isinstance(value, str):
        raise _unreadable("purpose")
    return value


def _targets(found: Mapping[str, Any]) -> tuple[Target, ...]:
    told = found.get("target_info")
    if not isinstance(told, list) or not told:
        raise _unreadable("target_info")
    targets = tuple(_target(each) for each in told)
    if len({target.scope for target in targets}) != len(targets):
        raise _unreadable("target_info")
    return targets


def _target(told: Any) -> Target:
    if not isinstance(told, dict) or not told.keys() <= {"scope", "asset_list"}:
        raise _unreadable("target_info")
    scope = _text(told, "scope", _SCOPE)
    if _is_list(scope) != ("asset_list" not in told):
        raise _unreadable("asset_list")
    return Target(scope, None if _is_list(scope) else _assets(told["asset_list"]))


def _assets(told: Any) -> tuple[Asset, ...] | None:
    if not isinstance(told, list) or not told:
        raise _unreadable("asset_list")
    assets = tuple(_asset(each) for each in told)
    if assets == (Asset(ALL_ASSETS),):
        return None
    if len(set(assets)) != len(assets) or any(each.asset == ALL_ASSETS for each in assets):
        raise _unreadable("asset_list")
    return assets


def _asset(told: Any) -> Asset:
    if not isinstance(told, dict) or not told.keys() <= {"asset", "seqno"}:
        raise _unreadable("asset_list")
    return Asset(_text(told, "asset", _ASSET), _text(told, "seqno", _SEQNO) if "seqno" in told else "")
