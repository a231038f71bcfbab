"""The compiled plan: the institution of a call, its settings, and its response to 공통-001."""

import json

import pytest
from mydata_sandbox.checks.conformance import find_strict_violations

from relay.domain.fault import Refusal
from relay.domain.ids import INDUSTRIES
from relay.domain.party import Operator, Peer, Service
from relay.policy.call.access import Caller, Callers
from relay.policy.call.parties import Parties
from relay.policy.call.plan import OFFERED_SUPPORT_APIS, compile_plan, with_parties
from relay.policy.call.route import find_route
from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import Answers, Checking, ProviderTimeouts, Rate
from relay.standard.catalogue import load_catalogue

CATALOGUE = load_catalogue()
ACCOUNTS = "/v1/bank/accounts"


def settings(**sections):
    return Settings.model_validate(
        {
            "relay": {"org_code": "ZRLA000001", "name": "Relay"},
            "gateway": {"tls": {"certificate": "a", "private_key": "env:K", "client_ca": "b"}},
            "tokens": {"issuer": "ZRLA000001", "keys": "keys"},
            "ledger": {"url": "sqlite:ledger.db", "customer_keys": [{"kid": "one", "key": "env:K"}]},
        }
        | sections
    )


def provider(org_code="ZBAA000001", industry="bank", **more):
    base = {"org_code": org_code, "name": org_code, "industry": industry, "base_urls": ["https://p.example"], "ca": "a"}
    return Provider.model_validate(base | more)


def plan(*providers, parties=None, **sections):
    parties = parties or Parties.from_directory(Directory())
    return compile_plan(settings(**sections), providers or (provider(),), parties, CATALOGUE, "0123456789ab")


def find(compiled, org_code="ZBAA000001", path=ACCOUNTS, method="GET"):
    route, _, version = find_route(compiled.routes, method, path.encode())
    compiled.check_version(route, version)
    return compiled.find_institution(org_code, route, version)


def find_fault(*arguments, **named):
    with pytest.raises(Refusal) as refusal:
        find(*arguments, **named)
    return refusal.value.fault.name


def test_a_call_finds_the_institution_it_names():
    compiled = plan(provider(), provider("ZCDA000001", "card"))
    assert find(compiled).org_code == "ZBAA000001"
    assert find(compiled, "ZCDA000001", "/v1/card/cards").industry == "card"
    assert compiled.fingerprint == "0123456789ab"


@pytest.mark.parametrize("org_code", [None, "", 1, ["ZBAA000001"], {"a": 1}, True])
def test_a_call_without_org_code_is_refused(org_code):
    assert find_fault(plan(), org_code) == ("parameter_malformed" if org_code else "parameter_missing")


@pytest.mark.parametrize("org_code", ["ZBAA000002", "zbaa000001", "ZBAA000001 ", "ZCDA000001"])
def test_an_institution_of_another_relay_or_industry_is_unknown(org_code):
    assert find_fault(plan(provider(), provider("ZCDA000001", "card")), org_code) == "provider_unknown"


@pytest.mark.parametrize(
    ("served", "version", "name"),
    [
        ({}, 1, ""),
        ({}, 2, "version_not_served"),
        ({"version": "v2"}, 1, ""),
        ({"version": "v2"}, 2, ""),
        ({"version": "v2"}, 3, "version_not_served"),
        ({"version": "v3", "min_version": "v2"}, 1, "version_not_served"),
        ({"version": "v3", "min_version": "v2"}, 2, ""),
        ({"version": "v3", "min_version": "v2"}, 3, ""),
        ({"version": "v3", "min_version": "v3"}, 2, "version_not_served"),
    ],
)
def test_only_served_versions_are_accepted(served, version, name):
    path = ACCOUNTS.replace("v1", f"v{version}")
    if name:
        assert find_fault(plan(provider(**served)), path=path) == name
    else:
        assert find(plan(provider(**served)), path=path).org_code == "ZBAA000001"


@pytest.mark.parametrize(
    ("served", "version", "detail"),
    [
        ({}, 2, "v1만 허용됩니다"),
        ({"version": "v2"}, 3, "v1~v2만 허용됩니다"),
        ({"version": "v3", "min_version": "v3"}, 2, "v3만 허용됩니다"),
    ],
)
def test_a_refused_version_names_those_that_are_served(served, version, detail):
    with pytest.raises(Refusal) as refusal:
        find(plan(provider(**served)), path=ACCOUNTS.replace("v1", f"v{version}"))
    assert refusal.value.detail == detail


def test_versions_of_another_institution_are_not_served():
    compiled = plan(provider(), provider("ZBAA000002", version="v3", min_version="v3"))
    assert find_fault(compiled, "ZBAA000001", "/v3/bank/accounts") == "version_not_served"
    assert find_fault(compiled, "ZBAA000002", ACCOUNTS) == "version_not_served"
    assert find_fault(compiled, "ZBAA000001", "/v4/bank/accounts") == "version_not_served"


def test_the_version_of_the_industry_is_checked_first():
    assert find_fault(plan(), "ZZZZ000009", "/v2/bank/accounts") == "version_not_served"
    assert find_fault(plan(), "ZZZZ000009", "/v2/card/cards") == "version_not_served"
    assert find_fault(plan(), "ZZZZ000009", "/v1/card/cards") == "provider_unknown"


def test_the_list_of_apis_has_no_version():
    compiled = plan(provider(version="v3", min_version="v3"))
    assert find(compiled, path="/bank/apis").org_code == "ZBAA000001"


def test_an_api_left_out_is_not_offered_and_one_turned_on_is():
    compiled = plan(provider(apis={"left_out": ["BA01"], "turned_on": ["PP01"]}), provider("ZBAA000002"))
    assert find_fault(compiled) == "api_not_offered"
    assert find(compiled, path="/v1/bank/prepaid").org_code == "ZBAA000001"
    assert find(compiled, "ZBAA000002").org_code == "ZBAA000002"
    assert find_fault(compiled, "ZBAA000002", "/v1/bank/prepaid") == "api_not_offered"


def list_apis(**more):
    return json.loads(plan(provider(**more)).institutions["ZBAA000001"].api_list)


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_the_api_list_conforms_to_the_standard(industry):
    response = list_apis(industry=industry)
    api = next(api for api in CATALOGUE.iter_apis(industry) if api.api_code == "CM01")
    assert find_strict_violations(api, response) == []
    offered = list(CATALOGUE.iter_apis(industry))
    assert response["api_list"] == [{"api_code": api.api_code, "api_uri": api.resource} for api in offered]
    assert response["api_cnt"] == str(len(offered))
    assert {"CM01", "CM02"} < {row["api_code"] for row in response["api_list"]}


def test_the_api_list_follows_left_out_and_turned_on():
    codes = [row["api_code"] for row in list_apis(apis={"left_out": ["BA01"], "turned_on": ["PP01"]})["api_list"]]
    default = [row["api_code"] for row in list_apis()["api_list"]]
    assert sorted(codes) == sorted([code for code in default if code != "BA01"] + ["PP01"])


@pytest.mark.parametrize(
    ("versions", "listed"),
    [
        ({}, ("v1", None)),
        ({"version": "v1", "min_version": "v1"}, ("v1", None)),
        ({"version": "v2"}, ("v2", "v1")),
        ({"version": "v3", "min_version": "v2"}, ("v3", "v2")),
    ],
)
def test_min_version_is_listed_unless_the_version_is_1(versions, listed):
    response = list_apis(**versions)
    assert (response["version"], response.get("min_version")) == listed


def test_settings_default_to_those_of_the_relay():
    common = {"checking": "lenient", "upstream": {"concurrency": 7, "queue": 3}}
    rates = {"provider": {"per_second": 10, "burst": 5}, "operator_provider": {"per_second": 4, "burst": 2}}
    compiled = plan(**common, rates=rates)
    institution = compiled.institutions["ZBAA000001"]
    assert (institution.checking, institution.concurrency, institution.queue) == (Checking.LENIENT, 7, 3)
    assert institution.rate == Rate(per_second=10, burst=5)
    assert institution.timeouts == ProviderTimeouts()


def test_settings_of_the_institution_override_the_relays():
    own = {
        "checking": Checking.OFF,
        "concurrency": 1,
        "queue": 0,
        "rate": Rate(per_second=2, burst=1),
        "timeouts": ProviderTimeouts(connect_s=1, first_byte_s=2, total_s=3, idle_s=1),
    }
    institution = plan(provider(**own)).institutions["ZBAA000001"]
    assert (institution.checking, institution.concurrency, institution.queue, institution.timeouts) == (
        Checking.OFF,
        1,
        0,
        own["timeouts"],
    )
    assert institution.rate == Rate(per_second=2, burst=1)


def test_parameters_are_checked_as_the_institution_is_set():
    compiled = plan(provider(), provider("ZBAA000002", checking="off"))
    with pytest.raises(Refusal):
        compiled.institutions["ZBAA000001"].rules["BA01"].parameters({"limit": "501"})
    assert compiled.institutions["ZBAA000002"].rules["BA01"].parameters({"limit": "501"}) is None


PORTAL = {
    "org_code": "ZPTL000001",
    "base_url": "https://portal.example",
    "serial_num": "999-81-00002",
    "addresses": ["192.0.2.9"],
    "calls": {"client_id": "relayatportal", "client_secret": "env:S"},
    "offers": {"client_id": "portalatrelay", "client_secret_hash": f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"},
}
PORTAL_PEER = Peer("9998100002", "192.0.2.9")
SUPPORT = {
    b"/mgmts/oauth/2.0/token": "POST",
    b"/v1/mgmts/status": "GET",
    b"/v1/mgmts/consents": "POST",
    b"/v1/mgmts/req-statistics": "GET",
}


def test_scheduled_transfers_are_weekly_unless_turned_off():
    def list_weekly(**sections):
        return [rules.api.api_code for rules in find(plan(**sections)).rules.values() if rules.transfer is not None]

    assert {"BA01", "BA04"} <= set(list_weekly())
    assert "CM02" not in list_weekly()
    assert list_weekly(rates={"weekly": False}) == []


def parties(*org_codes, slots=None):
    services = {code: (Service(f"{code}SVC", "one", code),) for code in org_codes}
    operators = [Operator(code, code, code, ("192.0.2.1",), services[code]) for code in org_codes]
    return Parties(Callers.from_iterable(map(Caller.from_operator, operators)), slots or {})


def codes(callers):
    return [caller.operator.org_code for caller in callers.all]


def test_the_portal_may_call_support_and_data_apis():
    compiled = plan(parties=parties("ZOPA000001"), portal=PORTAL)
    assert compiled.support == SUPPORT
    assert len(OFFERED_SUPPORT_APIS) == len(SUPPORT)
    assert codes(compiled.portal) == ["ZPTL000001"]
    assert codes(compiled.callers) == ["ZOPA000001", "ZPTL000001"]
    assert [caller.operator.org_code for caller in compiled.portal.identify(PORTAL_PEER)] == ["ZPTL000001"]


@pytest.mark.parametrize(
    "peer", [Peer("ZOPA000001", "192.0.2.1"), Peer("9998100002", "192.0.2.1"), Peer("", "192.0.2.9")]
)
def test_other_peers_are_not_the_portal(peer):
    compiled = plan(parties=parties("ZOPA000001"), portal=PORTAL)
    with pytest.raises(Refusal):
        compiled.portal.identify(peer)


def test_without_a_portal_there_is_no_support_api():
    compiled = plan(parties=parties("ZOPA000001"))
    assert (compiled.support, codes(compiled.portal), codes(compiled.callers)) == ({}, [], ["ZOPA000001"])
    assert compiled.get_method(b"/v1/mgmts/status") == ""
    with pytest.raises(Refusal):
        compiled.portal.identify(PORTAL_PEER)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        *SUPPORT.items(),
        (ACCOUNTS.encode(), "GET"),
        (b"/oauth/2.0/token", "POST"),
        (b"/v1/mgmts/orgs", ""),  # 지원-002 is offered by the portal
        (b"/v2/mgmts/status", ""),
        (b"/v1/mgmts/status/", ""),
    ],
)
def test_each_path_has_one_method(path, method):
    assert plan(portal=PORTAL).get_method(path) == method


def test_other_parties_change_only_callers_and_slots():
    first = plan(provider(), provider("ZCDA000001", "card"), parties=parties("ZOPA000001"), portal=PORTAL)
    second = with_parties(first, parties("ZOPB000001", "ZOPC000001"))
    assert codes(first.callers) == ["ZOPA000001", "ZPTL000001"]
    assert codes(second.callers) == ["ZOPB000001", "ZOPC000001", "ZPTL000001"]  # the portal stays, once
    assert codes(with_parties(second, parties()).callers) == ["ZPTL000001"]
    for code, institution in first.institutions.items():
        assert second.institutions[code] is institution
    kept = ("fingerprint", "routes", "versions", "authority", "support", "portal")
    assert all(getattr(second, name) is getattr(first, name) for name in kept)


MORNING, ALWAYS = ("0000:0700",), ()


def count_open_minutes(compiled, org_code="ZBAA000001"):
    """Returns the number of minutes a day at which an institution accepts scheduled calls."""
    slots = compiled.institutions[org_code].slots
    return sum(slots) if slots else 1440


@pytest.mark.parametrize(
    ("file", "portal", "minutes"),
    [
        (ALWAYS, None, 1440),
        (MORNING, None, 420),
        (MORNING, ("2200:2400",), 120),  # the portal overrides the file
        (ALWAYS, ("2200:2400",), 120),
    ],
)
def test_slots_of_the_portal_override_those_of_the_file(file, portal, minutes):
    known = parties("ZOPA000001", slots={} if portal is None else {"ZBAA000001": portal, "ZBAA000009": ("0000:0100",)})
    compiled = plan(provider(scheduled_slots=file), provider("ZBAA000002"), parties=known)
    assert (count_open_minutes(compiled), count_open_minutes(compiled, "ZBAA000002")) == (minutes, 1440)
    updated = with_parties(plan(provider(scheduled_slots=file), provider("ZBAA000002")), known)
    assert (count_open_minutes(updated), count_open_minutes(updated, "ZBAA000002")) == (minutes, 1440)
    assert sorted(updated.institutions) == ["ZBAA000001", "ZBAA000002"]


def test_slots_of_the_file_return_without_the_portals():
    compiled = plan(provider(scheduled_slots=MORNING), parties=parties(slots={"ZBAA000001": ("2200:2400",)}))
    assert count_open_minutes(compiled) == 120
    assert count_open_minutes(with_parties(compiled, parties())) == 420


def test_a_day_of_maintenance_is_compiled_from_the_file():
    down = {"date": "20260705", "start": "0200", "end": "0400"}
    compiled = plan(provider(maintenance=[down]), provider("ZBAA000002"))
    assert compiled.institutions["ZBAA000001"].maintenance is not None
    assert compiled.institutions["ZBAA000002"].maintenance is None


@pytest.mark.parametrize(
    ("own", "common", "answers"),
    [
        ({}, {}, Answers.SAMPLE),
        ({}, {"answers": "all"}, Answers.ALL),
        ({"answers": "off"}, {"answers": "all"}, Answers.OFF),
        ({"answers": "all"}, {}, Answers.ALL),
    ],
)
def test_which_answers_are_checked_is_its_own_or_the_relays_setting(own, common, answers):
    assert find(plan(provider(**own), upstream=common)).answers is answers
