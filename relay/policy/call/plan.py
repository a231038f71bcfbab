"""The plan: settings, directory and catalogue compiled into one immutable value, used for a whole request."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from relay.domain.api import SUCCESS, Api, Catalogue
from relay.domain.fault import FAULTS, Refusal
from relay.policy.call.access import Callers
from relay.policy.call.assets import AssetCheck, compile_asset_check
from relay.policy.call.maintenance import MaintenanceCalendar, compile_maintenance
from relay.policy.call.parameters import ParameterCheck, compile_parameter_check, compile_usual_check
from relay.policy.call.parties import Parties, build_portal_caller
from relay.policy.call.period import PeriodCheck, compile_period_check
from relay.policy.call.route import Route, Routes, compile_routes
from relay.policy.call.slot import Slots, compile_slots
from relay.policy.call.withheld import select_withheld
from relay.policy.quota.transfer_rule import TransferRule, compile_transfer_rule
from relay.policy.settings.directory import Provider, ProviderApis, WithheldBy
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import Answers, Checking, ProviderTimeouts, Rate

_CONNECTIONS_PART: Final = 4
"""An operator may use a quarter of its connections at one institution: two that hang leave it a half."""
_LEAST_OF_OPERATOR: Final = 4

AUTHORITY_RATE_KEY: Final = "relay"
"""Key of the rate limit for calls of the authority's endpoints."""

OFFERED_SUPPORT_APIS: Final = ("지원-101", "지원-102", "지원-103", "지원-104")
"""The support APIs that the relay offers to the portal (규격 5.2)."""

_VERSION_ONE: Final = range(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRules:
    """The checks of one API: parameters, period (None if it has none) and asset.

    `is_usual` returns whether checked parameters are exactly those of the standard. `transfer` says which
    scheduled calls are one transfer, None if they are not limited to one a week.
    """

    api: Api
    parameters: ParameterCheck
    period: PeriodCheck | None
    asset: AssetCheck
    is_usual: Callable[[Mapping[str, object]], bool]
    transfer: TransferRule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """A 정보제공자 with its settings compiled.

    `is_strict` is true for `Checking.STRICT`. `rules` are the checks of the offered APIs by api_code, `api_list` the
    response to 공통-001, `slots` the times of scheduled calls, `maintenance` the planned maintenance (None for none).
    `withholds` is true when the relay removes fields without consent from its responses: always for cores that speak
    telegrams. `is_adapted`: the adapter converts its calls. Timeouts, concurrency, queue and rates come from its file,
    else from the relay's settings, and so does which of its `answers` are checked. `operator_concurrency` is how many
    calls of one operator may be in progress here, so that connections are left for other institutions.
    """

    org_code: str
    industry: str
    first_version: int
    last_version: int
    checking: Checking
    is_strict: bool
    rules: dict[str, ApiRules]
    api_list: bytes
    slots: Slots
    maintenance: MaintenanceCalendar | None
    withholds: bool
    is_adapted: bool
    timeouts: ProviderTimeouts
    concurrency: int
    queue: int
    operator_concurrency: int
    is_adaptive: bool
    answers: Answers
    weights: tuple[tuple[str, float], ...]
    rate: Rate
    scheduled_rate: Rate | None
    settings: Provider

    def select_withheld(self, api_code: str, fields: frozenset[str]) -> frozenset[str]:
        """Returns the `fields` without consent that the response of an API could hold."""
        return select_withheld(self.rules[api_code].api, fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All data that requests are checked against. A reload replaces the plan; a running request keeps its own.

    `authority` maps the authority's paths to their method, `support` those of the support APIs for the portal (지원-101
    to -104), and `support_codes` those to their codes in metrics and records. Only callers in `portal`, which is empty
    without a portal, may call support APIs. `checking` is the relay's setting for calls of both.
    """

    fingerprint: str
    routes: Routes
    callers: Callers
    institutions: dict[str, Institution]
    versions: dict[str, range]
    authority: dict[bytes, str]
    support: dict[bytes, str]
    portal: Callers
    support_codes: dict[bytes, str]
    checking: Checking

    def get_method(self, path: bytes) -> str:
        """Returns the method of a path, "" for unknown paths and paths with an asset."""
        route = self.routes.literal.get(path)
        if route is not None:
            return route.method
        return self.authority.get(path) or self.support.get(path, "")

    def check_version(self, route: Route, version: int) -> None:
        """Raises Refusal (40003) for a version that no institution of the industry serves."""
        served = self.versions.get(route.industry, _VERSION_ONE)
        if version and version not in served:
            raise _build_version_refusal(served.start, served.stop - 1)

    def find_institution(self, org_code: object, route: Route, version: int) -> Institution:
        """Returns the institution of a call.

        Raises Refusal: parameter_missing (40001) without an org_code, parameter_malformed (40001) when it is no text,
        provider_unknown (40303) when this relay has no such institution in the industry, version_not_served (40003),
        api_not_offered (40401).
        """
        if not isinstance(org_code, str) or not org_code:
            is_missing = org_code is None or org_code == ""
            raise Refusal(FAULTS["parameter_missing" if is_missing else "parameter_malformed"], "org_code (aN(10))")
        institution = self.institutions.get(org_code)
        if institution is None or institution.industry != route.industry:
            raise Refusal(FAULTS["provider_unknown"], f"org_code ({route.industry} 업권의 중계 대상 기관)")
        if version and not institution.first_version <= version <= institution.last_version:
            raise _build_version_refusal(institution.first_version, institution.last_version)
        if route.api.api_code not in institution.rules:
            raise Refusal(FAULTS["api_not_offered"], f"제공하는 API는 /{route.industry}/apis로 조회합니다")
        return institution


def _build_version_refusal(first: int, last: int) -> Refusal:
    served = f"v{first}" if first == last else f"v{first}~v{last}"
    return Refusal(FAULTS["version_not_served"], f"{served}만 허용됩니다")


def compile_plan(
    settings: Settings, providers: tuple[Provider, ...], parties: Parties, catalogue: Catalogue, fingerprint: str
) -> Plan:
    """Compiles a plan. All decisions that do not depend on a call are made here."""
    offers: dict[_OfferKey, _Offer] = {}
    institutions = {
        provider.org_code: _compile_institution(provider, settings, catalogue, offers) for provider in providers
    }
    portal = Callers.from_iterable(() if settings.portal is None else (build_portal_caller(settings.portal),))
    support_apis = [catalogue.apis[api_id] for api_id in OFFERED_SUPPORT_APIS] if portal.all else []
    oauth_apis = [api for api in catalogue.apis.values() if api.path.startswith("/oauth/")]
    plan = Plan(
        fingerprint=fingerprint,
        routes=compile_routes(catalogue),
        callers=portal,
        institutions=institutions,
        versions=_collect_versions(institutions.values()),
        authority={api.path.encode(): api.method for api in oauth_apis},
        support={api.path.encode(): api.method for api in support_apis},
        portal=portal,
        support_codes={api.path.encode(): get_support_code(api.api_id) for api in support_apis},
        checking=settings.checking,
    )
    return with_parties(plan, parties)


def with_parties(plan: Plan, parties: Parties) -> Plan:
    """Returns the plan with the callers and slots of `parties`; nothing else is compiled again."""
    institutions = {
        code: _with_slots(institution, parties.slots.get(code, institution.settings.scheduled_slots))
        for code, institution in plan.institutions.items()
    }
    return replace(plan, callers=parties.callers.union(plan.portal), institutions=institutions)


def get_support_code(api_id: str) -> str:
    """Returns the code of a support API in metrics and records, S101 to S104: 첨부12 has no api_code for it."""
    return f"S{api_id.rpartition('-')[2]}"


def _with_slots(institution: Institution, slots: tuple[str, ...]) -> Institution:
    compiled = compile_slots(slots)
    return institution if compiled == institution.slots else replace(institution, slots=compiled)


def _collect_versions(institutions: Iterable[Institution]) -> dict[str, range]:
    """Returns the range of versions that the institutions of each industry serve."""
    versions: dict[str, range] = {}
    for each in institutions:
        served = range(each.first_version, each.last_version + 1)
        known = versions.get(each.industry, served)
        versions[each.industry] = range(min(known.start, served.start), max(known.stop, served.stop))
    return versions


_OfferKey = tuple[str, Checking, ProviderApis, str, str | None]
"""Settings that institutions with the same offer have in common."""
_Offer = tuple[dict[str, ApiRules], bytes]
"""The checks of the offered APIs by api_code, and the response to 공통-001."""


def _compile_institution(
    provider: Provider, settings: Settings, catalogue: Catalogue, offers: dict[_OfferKey, _Offer]
) -> Institution:
    checking = provider.checking or settings.checking
    key = (provider.industry, checking, provider.apis, provider.version, provider.min_version)
    if key not in offers:
        offers[key] = _compile_offer(provider, checking, catalogue, weekly=settings.rates.weekly)
    rules, api_list = offers[key]
    return Institution(
        org_code=provider.org_code,
        industry=provider.industry,
        first_version=int((provider.min_version or "v1")[1:]),
        last_version=int(provider.version[1:]),
        checking=checking,
        is_strict=checking is Checking.STRICT,
        rules=rules,
        api_list=api_list,
        slots=compile_slots(provider.scheduled_slots),
        maintenance=compile_maintenance(provider.maintenance),
        withholds=provider.withholding is WithheldBy.RELAY or provider.needs_adapter,
        is_adapted=provider.needs_adapter,
        timeouts=provider.timeouts or settings.upstream.timeouts,
        concurrency=provider.concurrency or _count_lines(provider) or settings.upstream.concurrency,
        queue=settings.upstream.queue if provider.queue is None else provider.queue,
        operator_concurrency=_limit_operator(settings.gateway.limits.connections_per_operator),
        is_adaptive=(
            settings.upstream.adaptive_concurrency
            if provider.adaptive_concurrency is None
            else provider.adaptive_concurrency
        ),
        answers=provider.answers or settings.upstream.answers,
        weights=tuple((each.org_code, each.weight) for each in settings.rates.weights),
        rate=provider.rate or settings.rates.provider,
        scheduled_rate=provider.scheduled_rate or settings.rates.scheduled,
        settings=provider,
    )


def _count_lines(provider: Provider) -> int:
    """Returns how many telegrams the lines of an institution carry at once, 0 without lines."""
    return 0 if provider.core is None else provider.core.capacity


def _limit_operator(connections: int) -> int:
    """Returns how many calls of one operator may be in progress at one institution."""
    return max(1, min(connections - 1, max(_LEAST_OF_OPERATOR, connections // _CONNECTIONS_PART)))


def _compile_offer(provider: Provider, checking: Checking, catalogue: Catalogue, *, weekly: bool) -> _Offer:
    industry, apis = provider.industry, provider.apis
    offered = [
        api
        for api in catalogue.iter_apis(industry, later=True)
        if api.api_code not in apis.left_out and (industry in api.industries or api.api_code in apis.turned_on)
    ]
    rules = {api.api_code: _compile_rules(api, industry, checking, weekly=weekly) for api in offered}
    return rules, _build_api_list(provider, [(api.api_code, api.resource) for api in offered])


def _compile_rules(api: Api, industry: str, checking: Checking, *, weekly: bool) -> ApiRules:
    return ApiRules(
        api=api,
        parameters=compile_parameter_check(api, checking),
        period=compile_period_check(api.period) if api.period else None,
        asset=compile_asset_check(api, api.scope_for(industry)),
        is_usual=compile_usual_check(api),
        transfer=compile_transfer_rule(api) if weekly else None,
    )


def _build_api_list(provider: Provider, offered: list[tuple[str, str]]) -> bytes:
    """Returns the response to 공통-001 (규격 6.1): version, min_version unless version is v1, and the data APIs."""
    body: dict[str, object] = {"rsp_code": SUCCESS, "rsp_msg": "성공", "version": provider.version}
    if provider.version != "v1":
        body["min_version"] = provider.min_version or "v1"
    body["api_cnt"] = str(len(offered))
    body["api_list"] = [{"api_code": code, "api_uri": resource} for code, resource in offered]
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
