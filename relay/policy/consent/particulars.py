"""전송요구내역: what may stand in a consent, how it is told to an operator, what it opens (규격 2.2, 3.2.2, 6.2)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from relay.domain.api import Api, Catalogue, Field
from relay.domain.authorization.consent import Asset, Particulars, Target
from relay.policy.call.assets import may_name
from relay.policy.call.fields import allowed
from relay.policy.call.period import months_before
from relay.policy.call.withheld import FLAGS

CYCLE: Final = "1/w"
"""Both cycles of a scheduled transfer, fixed in v1 (규격 6.2)."""

PURPOSE_BYTES: Final = 150
"""목적, AH(150)."""

LIST_ONLY_DAYS: Final = 7
"""A consent to lists alone (1차) ends after a week at the latest, any other after a year."""

MONTHS_MOST: Final = 12


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """How the APIs of a scope name an asset and its 회차; None where they name none."""

    asset: Field | None = None
    seqno: Field | None = None


Scopes = Mapping[str, ScopeRule]
"""The scopes of an industry (규격 2.2) by name: the list scope, then its own, then those it shares (irp, prepaid)."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with particulars: `member` as the standard names it, and what is `allowed` there, in Korean."""

    member: str
    allowed: str


def scopes_of(industry: str, catalogue: Catalogue) -> Scopes:
    """The scopes of an industry, those of APIs that come to it later among them."""
    known = sorted(
        (api for api in catalogue.of(industry, later=True) if api.scope),
        key=lambda api: (not _is_list(api.scope), len(api.industries + api.later) > 1),
    )
    return {api.scope_for(industry): _rule(api) for api in known}


def checked(particulars: Particulars, scopes: Scopes, today: date) -> tuple[Flaw, ...]:
    """What keeps these particulars from being a consent on this day in Korea; empty when nothing does.

    `scopes` are those of the institution's industry (`scopes_of`).
    """
    return (
        *_cycles(particulars),
        *_dates(particulars, today),
        *_purpose(particulars.purpose),
        *_targets(particulars, scopes),
        *_flags(particulars, scopes),
    )


def told(particulars: Particulars) -> bytes:
    """The body that answers 정보제공-공통-002: JSON texts in the catalogue's order, what has no value left out."""
    flags = {name: getattr(particulars, name) for name in FLAGS}
    found = {
        "rsp_code": "00000",
        "rsp_msg": "성공",
        "is_scheduled": _word(particulars.is_scheduled),
        "fnd_cycle": particulars.fnd_cycle,
        "add_cycle": particulars.add_cycle,
        "end_date": _day(particulars.end_date),
        "purpose": particulars.purpose,
        "period": _day(particulars.period),
        **{name: _word(flag) for name, flag in flags.items() if flag is not None},
    }
    body = {name: value for name, value in found.items() if value}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def assets_of(particulars: Particulars) -> dict[str, frozenset[tuple[str, str]] | None]:
    """By scope, the (asset, seqno) pairs that particulars without flaws open, None for all: `Grant.assets`."""
    return {
        target.scope: None if target.assets is None else frozenset((each.asset, each.seqno) for each in target.assets)
        for target in particulars.targets
    }


def with_list_scope(particulars: Particulars, industry: str) -> Particulars:
    """The same particulars with `<industry>.list`, which is in every consent whatever was chosen (규격 2.2)."""
    scope = f"{industry}.list"
    if scope in particulars.scopes:
        return particulars
    return replace(particulars, targets=(Target(scope), *particulars.targets))


def _is_list(scope: str) -> bool:
    return scope.endswith(".list")


def _rule(api: Api) -> ScopeRule:
    fields = {field.name: field for field in api.request.path + api.request.query + api.request.body}
    return ScopeRule(fields[api.asset.field], fields.get(api.asset.seqno)) if api.asset else ScopeRule()


def _word(flag: bool) -> str:
    return "true" if flag else "false"


def _day(day: date) -> str:
    return day.isoformat().replace("-", "")


def _cycles(particulars: Particulars) -> Iterator[Flaw]:
    expected = CYCLE if particulars.is_scheduled else ""
    for member in ("fnd_cycle", "add_cycle"):
        if getattr(particulars, member) != expected:
            yield Flaw(member, f"is_scheduled가 true이면 {CYCLE}, 아니면 생략")


def _dates(particulars: Particulars, today: date) -> Iterator[Flaw]:
    lists = bool(particulars.scopes) and all(map(_is_list, particulars.scopes))
    last = today + timedelta(days=LIST_ONLY_DAYS) if lists else months_before(today, -MONTHS_MOST)
    if not today <= particulars.end_date <= last:
        yield Flaw("end_date", days_allowed(today, last))
    if particulars.period < today:
        yield Flaw("period", days_allowed(today))


def days_allowed(first: date, last: date | None = None) -> str:
    """The days from `first` to `last`, in Korean; without an end when `last` is None."""
    return f"{_day(first)}부터" + (f" {_day(last)}까지" if last else "")


def _purpose(purpose: str) -> Iterator[Flaw]:
    # half a surrogate is not printable, so what follows can be encoded
    if not purpose.strip() or not purpose.isprintable() or len(purpose.encode()) > PURPOSE_BYTES:
        yield Flaw("purpose", f"1~{PURPOSE_BYTES}바이트의 문자열")


def _flags(particulars: Particulars, scopes: Scopes) -> Iterator[Flaw]:
    """A flag that the industry does not have says nothing, so that it is left out (규격 1.1, 6.2)."""
    industries = {scope.partition(".")[0] for scope in scopes}
    for name, flag in FLAGS.items():
        if getattr(particulars, name) is not None and industries.isdisjoint(flag.industries):
            yield Flaw(name, "해당 업권에서는 생략")


def _targets(particulars: Particulars, scopes: Scopes) -> Iterator[Flaw]:
    if not particulars.targets:
        yield Flaw("target_info", "scope 1개 이상")
    if len(particulars.scopes) != len(particulars.targets):
        yield Flaw("scope", "같은 scope는 한 번만")
    for target in particulars.targets:
        if target.scope not in scopes:
            yield Flaw("scope", f"{', '.join(scopes)} 중 하나")
        elif target.assets is not None:
            yield from _assets(target.scope, target.assets, scopes[target.scope])


def _assets(scope: str, assets: tuple[Asset, ...], rule: ScopeRule) -> Iterator[Flaw]:
    """Assets where calls name none would promise a limit that nothing keeps; so would a 회차 that no call names."""
    if rule.asset is None:
        yield Flaw("asset_list", f"{scope}는 자산을 지정할 수 없음")
        return
    if not assets:
        yield Flaw("asset_list", "자산 1개 이상")
    if len(set(assets)) != len(assets):
        yield Flaw("asset_list", "같은 자산은 한 번만")
    if not all(may_name(rule.asset, each.asset) for each in assets):
        yield Flaw("asset", allowed(rule.asset))
    if not all(may_name(rule.seqno, each.seqno) for each in assets if each.seqno):
        yield Flaw("seqno", allowed(rule.seqno) if rule.seqno else f"{scope}에서는 생략")
