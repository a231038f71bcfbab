"""The plan: settings, directory and catalogue compiled into one immutable value that a whole request lives in."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from relay.domain.api import Api, Catalogue
from relay.domain.fault import FAULTS, Refusal
from relay.policy.call.access import Callers
from relay.policy.call.assets import AssetCheck, compile_asset_check
from relay.policy.call.maintenance import Calendar, compile_maintenance
from relay.policy.call.parameters import ParameterCheck, compile_check, compile_usual
from relay.policy.call.parties import Parties, portal_of
from relay.policy.call.period import PeriodCheck, compile_period
from relay.policy.call.route import Route, Routes, compile_routes
from relay.policy.call.slot import Slots, compile_slots
from relay.policy.call.withheld import withheld_from
from relay.policy.quota.bucket import Bucket
from relay.policy.settings.directory import Provider, ProviderApis, Withholding
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import Checking, ProviderTimeouts

AUTHORITY: Final = "relay"
"""The name under which calls of the authority's endpoints are counted by rate."""

OFFERED: Final = ("지원-101", "지원-102", "지원-103", "지원-104")
"""The support APIs that the relay offers the portal (규격 5.2)."""

_VERSION_ONE: Final = range(1, 2)


@dataclass(frozen=True, slots=True)
class Rules:
    """What one API asks of a call: its parameters, its period (None: it has none), its asset.

    `is_usual` tells whether parameters that passed are what the standard asks for and nothing more.
    """

    api: Api
    parameters: ParameterCheck
    period: PeriodCheck | None
    asset: AssetCheck
    is_usual: Callable[[Mapping[str, object]], bool]


@dataclass(frozen=True, slots=True)
class Institution:
    """A provider ready for calls.

    `rules` are those of each API it offers, by api_code; `apis` its ready-made answer to 공통-001; `slots` when it
    takes scheduled calls; `maintenance` when it is down by its own plan, None for never; `withholds` whether the relay
    leaves out of its answers what was not consented to. Timeouts, concurrency, queue and rate are its own where its
    file says so, the relay's otherwise.
    """

    org_code: str
    industry: str
    first_version: int
    last_version: int
    checking: Checking
    rules: dict[str, Rules]
    apis: bytes
    slots: Slots
    maintenance: Calendar | None
    withholds: bool
    timeouts: ProviderTimeouts
    concurrency: int
    queue: int
    bucket: Bucket
    file: Provider

    def withheld(self, api_code: str, fields: frozenset[str]) -> frozenset[str]:
        """Which of `fields`, those a customer did not consent to, the answer of an API could hold."""
        return withheld_from(self.rules[api_code].api, fields)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a request is judged by. Swapped whole; a request keeps the one it began with.

    `authority` holds the authority's paths with the one method each takes, `support` those of the support APIs that
    the portal calls (지원-101 to -104), `support_codes` what stands for their api_codes; only who `portal` recognises
    is let in there, and nobody without a portal. `checking` is the relay's own, for calls of both.
    """

    generation: str
    routes: Routes
    callers: Callers
    institutions: dict[str, Institution]
    operator_bucket: Bucket
    versions: dict[str, range]
    authority: dict[bytes, str]
    support: dict[bytes, str]
    portal: Callers
    support_codes: dict[bytes, str]
    checking: Checking

    def method_of(self, path: bytes) -> str:
        """The one method that a path takes; "" when it is nobody's or names an asset."""
        route = self.routes.literal.get(path)
        if route is not None:
            return route.method
        return self.authority.get(path) or self.support.get(path, "")

    def check_version(self, route: Route, version: int) -> None:
        """Raise Refusal (40003) for a version that no institution of the industry serves."""
        served = self.versions.get(route.industry, _VERSION_ONE)
        if version and version not in served:
            raise _version_not_served(served.start, served.stop - 1)

    def institution(self, org_code: object, route: Route, version: int) -> Institution:
        """The institution a call is for.

        Raises Refusal: parameter_missing (40001) without an org_code, provider_unknown (40303) for one that is not
        behind this relay or not of this industry, version_not_served (40003), api_not_offered (40401).
        """
        if not isinstance(org_code, str) or not org_code:
            raise Refusal(FAULTS["parameter_missing"], "org_code (aN(10))")
        found = self.institutions.get(org_code)
        if found is None or found.industry != route.industry:
            raise Refusal(FAULTS["provider_unknown"])
        if version and not found.first_version <= version <= found.last_version:
            raise _version_not_served(found.first_version, found.last_version)
        if route.api.api_code not in found.rules:
            raise Refusal(FAULTS["api_not_offered"])
        return found


def _version_not_served(first: int, last: int) -> Refusal:
    served = f"v{first}" if first == last else f"v{first}~v{last}"
    return Refusal(FAULTS["version_not_served"], f"{served}만 허용됩니다")


def compile_plan(
    settings: Settings, providers: tuple[Provider, ...], parties: Parties, catalogue: Catalogue, generation: str
) -> Plan:
    """Compile a plan. Everything that can be decided before a call is decided here."""
    made: dict[_Same, _Offer] = {}
    institutions = {provider.org_code: _institution(provider, settings, catalogue, made) for provider in providers}
    portal = Callers.of(() if settings.portal is None else (portal_of(settings.portal),))
    offered = {catalogue.apis[one].path.encode(): catalogue.apis[one] for one in OFFERED} if portal.everyone else {}
    plan = Plan(
        generation,
        compile_routes(catalogue),
        portal,
        institutions,
        Bucket.of(settings.rates.operator_provider),
        _versions(institutions.values()),
        {api.path.encode(): api.method for api in catalogue.apis.values() if api.path.startswith("/oauth/")},
        {path: api.method for path, api in offered.items()},
        portal,
        {path: support_code(api.api_id) for path, api in offered.items()},
        settings.checking,
    )
    return acquainted(plan, parties)


def acquainted(plan: Plan, parties: Parties) -> Plan:
    """The plan with other parties: what the portal's registry changed, and nothing else compiled anew."""
    institutions = {
        code: _with_slots(one, parties.slots.get(code, one.file.scheduled_slots))
        for code, one in plan.institutions.items()
    }
    return replace(plan, callers=parties.callers.and_also(plan.portal), institutions=institutions)


def support_code(api_id: str) -> str:
    """What stands for the api_code of a support API in metrics and records, for 첨부12 has none: S101 to S104."""
    return f"S{api_id.rpartition('-')[2]}"


def _with_slots(one: Institution, slots: tuple[str, ...]) -> Institution:
    compiled = compile_slots(slots)
    return one if compiled == one.slots else replace(one, slots=compiled)


def _versions(institutions: Iterable[Institution]) -> dict[str, range]:
    found: dict[str, range] = {}
    for one in institutions:
        known = found.get(one.industry, range(one.first_version, one.last_version + 1))
        found[one.industry] = range(min(known.start, one.first_version), max(known.stop, one.last_version + 1))
    return found


_Same = tuple[str, Checking, ProviderApis, str, str | None]
"""What institutions that offer the same have in common."""
_Offer = tuple[dict[str, Rules], bytes]
"""The rules of what is offered, and the answer to 공통-001."""


def _institution(
    provider: Provider, settings: Settings, catalogue: Catalogue, made: dict[_Same, _Offer]
) -> Institution:
    checking = provider.checking or settings.checking
    same = (provider.industry, checking, provider.apis, provider.version, provider.min_version)
    if same not in made:
        made[same] = _offer(provider, checking, catalogue)
    rules, apis = made[same]
    return Institution(
        provider.org_code,
        provider.industry,
        int((provider.min_version or "v1")[1:]),
        int(provider.version[1:]),
        checking,
        rules,
        apis,
        compile_slots(provider.scheduled_slots),
        compile_maintenance(provider.maintenance),
        provider.withholding is Withholding.RELAY,
        provider.timeouts or settings.upstream.timeouts,
        provider.concurrency or settings.upstream.concurrency,
        settings.upstream.queue if provider.queue is None else provider.queue,
        Bucket.of(provider.rate or settings.rates.provider),
        provider,
    )


def _offer(provider: Provider, checking: Checking, catalogue: Catalogue) -> _Offer:
    industry, apis = provider.industry, provider.apis
    offered = [
        api
        for api in catalogue.of(industry, later=True)
        if api.api_code not in apis.left_out and (industry in api.industries or api.api_code in apis.turned_on)
    ]
    rules = {api.api_code: _rules(api, industry, checking) for api in offered}
    return rules, _api_list(provider, [(api.api_code, api.resource) for api in offered])


def _rules(api: Api, industry: str, checking: Checking) -> Rules:
    return Rules(
        api,
        compile_check(api, checking),
        compile_period(api.period) if api.period else None,
        compile_asset_check(api, api.scope_for(industry)),
        compile_usual(api),
    )


def _api_list(provider: Provider, offered: list[tuple[str, str]]) -> bytes:
    """The answer to 공통-001 (규격 6.1): version, min_version unless it is v1, every API without auth and support."""
    body: dict[str, object] = {"rsp_code": "00000", "rsp_msg": "성공", "version": provider.version}
    if provider.version != "v1":
        body["min_version"] = provider.min_version or "v1"
    body["api_cnt"] = str(len(offered))
    body["api_list"] = [{"api_code": code, "api_uri": resource} for code, resource in offered]
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
