"""전송요구내역: rules of the particulars of a consent, their encoding, and allowed assets (규격 2.2, 3.2.2, 6.2)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from relay.domain.api import SUCCESS, Api, Catalogue, Field
from relay.domain.authorization.consent import Asset, Particulars, Target
from relay.domain.korea import format_day
from relay.policy.call.assets import is_asset_name
from relay.policy.call.fields import describe_allowed
from relay.policy.call.period import subtract_months
from relay.policy.call.withheld import FLAGS

SCHEDULED_CYCLE: Final = "1/w"
"""Value of fnd_cycle and add_cycle for scheduled transfers, fixed in v1 (규격 6.2)."""

MAX_PURPOSE_BYTES: Final = 150
"""목적, AH(150)."""

LIST_ONLY_DAYS: Final = 7
"""Longest duration of a consent to lists only (1차); any other consent may last a year."""

MAX_CONSENT_MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """The fields with which the APIs of a scope name an asset and its 회차; None if they name none."""

    asset: Field | None = None
    seqno: Field | None = None


Scopes = Mapping[str, ScopeRule]
"""Scopes of an industry (규격 2.2) by name: the list scope, its own scopes, then shared ones (irp, prepaid)."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """An invalid member of particulars: its name in the standard, and in Korean what is allowed."""

    member: str
    allowed: str


def get_scopes(industry: str, catalogue: Catalogue) -> Scopes:
    """Returns the scopes of an industry, including those of future APIs."""
    apis = sorted(
        (api for api in catalogue.iter_apis(industry, later=True) if api.scope),
        key=lambda api: (not _is_list(api.scope), len(api.industries + api.later) > 1),
    )
    return {api.scope_for(industry): _build_rule(api) for api in apis}


def find_flaws(particulars: Particulars, scopes: Scopes, today: date) -> tuple[Flaw, ...]:
    """Returns what is invalid in particulars of a consent given on `today`, the date in Korea.

    `scopes` are the scopes of the institution's industry (`get_scopes`).
    """
    return (
        *_check_cycles(particulars),
        *_check_dates(particulars, today),
        *_check_purpose(particulars.purpose),
        *_check_targets(particulars, scopes),
        *_check_flags(particulars, scopes),
    )


def encode_particulars(particulars: Particulars) -> bytes:
    """Returns the response body of 정보제공-공통-002: JSON strings in the catalogue's order, without empty members."""
    flags = {name: getattr(particulars, name) for name in FLAGS}
    members = {
        "rsp_code": SUCCESS,
        "rsp_msg": "성공",
        "is_scheduled": _format_flag(particulars.is_scheduled),
        "fnd_cycle": particulars.fnd_cycle,
        "add_cycle": particulars.add_cycle,
        "end_date": format_day(particulars.end_date),
        "purpose": particulars.purpose,
        "period": format_day(particulars.period),
        **{name: _format_flag(flag) for name, flag in flags.items() if flag is not None},
    }
    body = {name: value for name, value in members.items() if value}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def collect_assets(particulars: Particulars) -> dict[str, frozenset[tuple[str, str]] | None]:
    """Returns the allowed (asset, seqno) pairs by scope, None for all assets, for `encode_assets`."""
    return {
        target.scope: None if target.assets is None else frozenset((each.asset, each.seqno) for each in target.assets)
        for target in particulars.targets
    }


def add_list_scope(particulars: Particulars, industry: str) -> Particulars:
    """Returns particulars with scope `<industry>.list`, which every consent includes (규격 2.2)."""
    scope = f"{industry}.list"
    if scope in particulars.scopes:
        return particulars
    return replace(particulars, targets=(Target(scope), *particulars.targets))


def _is_list(scope: str) -> bool:
    return scope.endswith(".list")


def _build_rule(api: Api) -> ScopeRule:
    fields = {field.name: field for field in api.request.path + api.request.query + api.request.body}
    return ScopeRule(fields[api.asset.field], fields.get(api.asset.seqno)) if api.asset else ScopeRule()


def _format_flag(flag: bool) -> str:
    return "true" if flag else "false"


def _check_cycles(particulars: Particulars) -> Iterator[Flaw]:
    expected = SCHEDULED_CYCLE if particulars.is_scheduled else ""
    for member in ("fnd_cycle", "add_cycle"):
        if getattr(particulars, member) != expected:
            yield Flaw(member, f"is_scheduled가 true이면 {SCHEDULED_CYCLE}, 아니면 생략")


def _check_dates(particulars: Particulars, today: date) -> Iterator[Flaw]:
    is_list_only = bool(particulars.scopes) and all(map(_is_list, particulars.scopes))
    last = today + timedelta(days=LIST_ONLY_DAYS) if is_list_only else subtract_months(today, -MAX_CONSENT_MONTHS)
    if not today <= particulars.end_date <= last:
        yield Flaw("end_date", format_days(today, last))
    if particulars.period < today:
        yield Flaw("period", format_days(today))


def format_days(first: date, last: date | None = None) -> str:
    """Returns Korean words for the days from `first` to `last`, or from `first` on."""
    return f"{format_day(first)}부터" + (f" {format_day(last)}까지" if last else "")


def _check_purpose(purpose: str) -> Iterator[Flaw]:
    # a lone surrogate is not printable, so printable text can be encoded
    if not purpose.strip() or not purpose.isprintable() or len(purpose.encode()) > MAX_PURPOSE_BYTES:
        yield Flaw("purpose", f"1~{MAX_PURPOSE_BYTES}바이트의 문자열")


def _check_flags(particulars: Particulars, scopes: Scopes) -> Iterator[Flaw]:
    """Refuses flags that the industry does not have: they must be omitted (규격 1.1, 6.2)."""
    industries = {scope.partition(".")[0] for scope in scopes}
    for name, flag in FLAGS.items():
        if getattr(particulars, name) is not None and industries.isdisjoint(flag.industries):
            yield Flaw(name, "해당 업권에서는 생략")


def _check_targets(particulars: Particulars, scopes: Scopes) -> Iterator[Flaw]:
    if not particulars.targets:
        yield Flaw("target_info", "scope 1개 이상")
    if len(particulars.scopes) != len(particulars.targets):
        yield Flaw("scope", "같은 scope는 한 번만")
    for target in particulars.targets:
        if target.scope not in scopes:
            yield Flaw("scope", f"{', '.join(scopes)} 중 하나")
        elif target.assets is not None:
            yield from _check_assets(target.scope, target.assets, scopes[target.scope])


def _check_assets(scope: str, assets: tuple[Asset, ...], rule: ScopeRule) -> Iterator[Flaw]:
    """Refuses assets (or a 회차) where API calls name none: the limit could not be enforced."""
    if rule.asset is None:
        yield Flaw("asset_list", f"{scope}는 자산을 지정할 수 없음")
        return
    if not assets:
        yield Flaw("asset_list", "자산 1개 이상")
    if len(set(assets)) != len(assets):
        yield Flaw("asset_list", "같은 자산은 한 번만")
    if not all(is_asset_name(rule.asset, each.asset) for each in assets):
        yield Flaw("asset", describe_allowed(rule.asset))
    if not all(is_asset_name(rule.seqno, each.seqno) for each in assets if each.seqno):
        yield Flaw("seqno", describe_allowed(rule.seqno) if rule.seqno else f"{scope}에서는 생략")
