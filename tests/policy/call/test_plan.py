"""The compiled plan: which institution a call means, and what each of them says of itself."""

import json

import pytest

from relay.domain.fault import Refusal
from relay.domain.ids import INDUSTRIES
from relay.domain.party import Operator, Peer, Service
from relay.policy.answer.conformance import faults_of
from relay.policy.call.access import Caller, Callers
from relay.policy.call.parties import Parties
from relay.policy.call.plan import OFFERED, acquainted, compile_plan
from relay.policy.call.route import find_route
from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import Checking, ProviderTimeouts, Rate
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
    known = parties or Parties.of_file(Directory())
    return compile_plan(settings(**sections), providers or (provider(),), known, CATALOGUE, "0123456789ab")


def institution(found, org_code="ZBAA000001", path=ACCOUNTS, method="GET"):
    route, _, version = find_route(found.routes, method, path.encode())
    found.check_version(route, version)
    return found.institution(org_code, route, version)


def refused(*arguments, **named):
    with pytest.raises(Refusal) as refusal:
        institution(*arguments, **named)
    return refusal.value.fault.name


def test_a_call_finds_the_institution_it_names():
    found = plan(provider(), provider("ZCDA000001", "card"))
    assert institution(found).org_code == "ZBAA000001"
    assert institution(found, "ZCDA000001", "/v1/card/cards").industry == "card"
    assert found.generation == "0123456789ab"


@pytest.mark.parametrize("org_code", [None, "", 1, ["ZBAA000001"], {"a": 1}, True])
def test_a_call_that_names_none_is_told_so(org_code):
    assert refused(plan(), org_code) == "parameter_missing"


@pytest.mark.parametrize("org_code", ["ZBAA000002", "zbaa000001", "ZBAA000001 ", "ZCDA000001"])
def test_an_institution_that_is_not_here_or_of_another_industry_is_unknown(org_code):
    assert refused(plan(provider(), provider("ZCDA000001", "card")), org_code) == "provider_unknown"


@pytest.mark.parametrize(
    ("served", "asked", "name"),
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
def test_a_version_is_served_or_not(served, asked, name):
    path = ACCOUNTS.replace("v1", f"v{asked}")
    if name:
        assert refused(plan(provider(**served)), path=path) == name
    else:
        assert institution(plan(provider(**served)), path=path).org_code == "ZBAA000001"


@pytest.mark.parametrize(
    ("served", "asked", "said"),
    [
        ({}, 2, "v1만 허용됩니다"),
        ({"version": "v2"}, 3, "v1~v2만 허용됩니다"),
        ({"version": "v3", "min_version": "v3"}, 2, "v3만 허용됩니다"),
    ],
)
def test_a_refused_version_names_those_that_are_served(served, asked, said):
    with pytest.raises(Refusal) as refusal:
        institution(plan(provider(**served)), path=ACCOUNTS.replace("v1", f"v{asked}"))
    assert refusal.value.detail == said


def test_a_version_of_another_institution_of_the_industry_is_not_its_own():
    found = plan(provider(), provider("ZBAA000002", version="v3", min_version="v3"))
    assert refused(found, "ZBAA000001", "/v3/bank/accounts") == "version_not_served"
    assert refused(found, "ZBAA000002", ACCOUNTS) == "version_not_served"
    assert refused(found, "ZBAA000001", "/v4/bank/accounts") == "version_not_served"


def test_a_version_nobody_serves_is_refused_before_the_institution_is_looked_for():
    assert refused(plan(), "ZZZZ000009", "/v2/bank/accounts") == "version_not_served"
    assert refused(plan(), "ZZZZ000009", "/v2/card/cards") == "version_not_served"
    assert refused(plan(), "ZZZZ000009", "/v1/card/cards") == "provider_unknown"


def test_the_list_of_apis_has_no_version():
    found = plan(provider(version="v3", min_version="v3"))
    assert institution(found, path="/bank/apis").org_code == "ZBAA000001"


def test_an_api_left_out_is_not_offered_and_one_turned_on_is():
    found = plan(provider(apis={"left_out": ["BA01"], "turned_on": ["PP01"]}), provider("ZBAA000002"))
    assert refused(found) == "api_not_offered"
    assert institution(found, path="/v1/bank/prepaid").org_code == "ZBAA000001"
    assert institution(found, "ZBAA000002").org_code == "ZBAA000002"
    assert refused(found, "ZBAA000002", "/v1/bank/prepaid") == "api_not_offered"


def listed(**more):
    return json.loads(plan(provider(**more)).institutions["ZBAA000001"].apis)


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_each_institution_lists_its_apis_as_the_standard_has_it(industry):
    found = listed(industry=industry)
    api = next(api for api in CATALOGUE.of(industry) if api.api_code == "CM01")
    assert faults_of(api, found) == []
    offered = list(CATALOGUE.of(industry))
    assert found["api_list"] == [{"api_code": one.api_code, "api_uri": one.resource} for one in offered]
    assert found["api_cnt"] == str(len(offered))
    assert {"CM01", "CM02"} < {one["api_code"] for one in found["api_list"]}


def test_the_list_leaves_out_and_turns_on_what_the_file_says():
    codes = [one["api_code"] for one in listed(apis={"left_out": ["BA01"], "turned_on": ["PP01"]})["api_list"]]
    usual = [one["api_code"] for one in listed()["api_list"]]
    assert sorted(codes) == sorted([code for code in usual if code != "BA01"] + ["PP01"])


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        ({}, ("v1", None)),
        ({"version": "v1", "min_version": "v1"}, ("v1", None)),
        ({"version": "v2"}, ("v2", "v1")),
        ({"version": "v3", "min_version": "v2"}, ("v3", "v2")),
    ],
)
def test_the_least_version_is_told_unless_the_version_is_1(versions, told):
    found = listed(**versions)
    assert (found["version"], found.get("min_version")) == told


def test_what_an_institutions_file_does_not_say_is_the_relays():
    common = {"checking": "lenient", "upstream": {"concurrency": 7, "queue": 3}}
    rates = {"provider": {"per_second": 10, "burst": 5}, "operator_provider": {"per_second": 4, "burst": 2}}
    found = plan(**common, rates=rates)
    one = found.institutions["ZBAA000001"]
    assert (one.checking, one.concurrency, one.queue) == (Checking.LENIENT, 7, 3)
    assert (one.bucket.interval, found.operator_bucket.interval) == (0.1, 0.25)
    assert one.timeouts == ProviderTimeouts()


def test_what_an_institutions_file_says_is_its_own():
    own = {
        "checking": Checking.OFF,
        "concurrency": 1,
        "queue": 0,
        "rate": Rate(per_second=2, burst=1),
        "timeouts": ProviderTimeouts(connect_s=1, first_byte_s=2, total_s=3, idle_s=1),
    }
    one = plan(provider(**own)).institutions["ZBAA000001"]
    assert (one.checking, one.concurrency, one.queue, one.timeouts) == (Checking.OFF, 1, 0, own["timeouts"])
    assert (one.bucket.interval, one.bucket.tolerance) == pytest.approx((0.5, 0.0), abs=2e-6)


def test_parameters_are_checked_as_strictly_as_the_institution_wants():
    found = plan(provider(), provider("ZBAA000002", checking="off"))
    with pytest.raises(Refusal):
        found.institutions["ZBAA000001"].rules["BA01"].parameters({"limit": "501"})
    assert found.institutions["ZBAA000002"].rules["BA01"].parameters({"limit": "501"}) is None


PORTAL = {
    "org_code": "ZPTL000001",
    "base_url": "https://portal.example",
    "serial_num": "999-81-00002",
    "addresses": ["192.0.2.9"],
    "calls": {"client_id": "relayatportal", "client_secret": "env:S"},
    "offers": {"client_id": "portalatrelay", "client_secret_hash": f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"},
}
ITS_PEER = Peer("9998100002", "192.0.2.9")
SUPPORT = {
    b"/mgmts/oauth/2.0/token": "POST",
    b"/v1/mgmts/status": "GET",
    b"/v1/mgmts/consents": "POST",
    b"/v1/mgmts/req-statistics": "GET",
}


def parties(*org_codes, slots=None):
    services = {code: (Service(f"{code}SVC", "one", code),) for code in org_codes}
    operators = [Operator(code, code, code, ("192.0.2.1",), services[code]) for code in org_codes]
    return Parties(Callers.of(map(Caller.of, operators)), slots or {})


def codes(callers):
    return [caller.operator.org_code for caller in callers.everyone]


def test_a_portal_is_let_in_to_the_support_apis_and_like_any_operator():
    found = plan(parties=parties("ZOPA000001"), portal=PORTAL)
    assert found.support == SUPPORT
    assert len(OFFERED) == len(SUPPORT)
    assert codes(found.portal) == ["ZPTL000001"]
    assert codes(found.callers) == ["ZOPA000001", "ZPTL000001"]
    assert [one.operator.org_code for one in found.portal.recognise(ITS_PEER)] == ["ZPTL000001"]


@pytest.mark.parametrize(
    "peer", [Peer("ZOPA000001", "192.0.2.1"), Peer("9998100002", "192.0.2.1"), Peer("", "192.0.2.9")]
)
def test_nobody_else_is_the_portal(peer):
    found = plan(parties=parties("ZOPA000001"), portal=PORTAL)
    with pytest.raises(Refusal):
        found.portal.recognise(peer)


def test_without_a_portal_there_is_no_support_api():
    found = plan(parties=parties("ZOPA000001"))
    assert (found.support, codes(found.portal), codes(found.callers)) == ({}, [], ["ZOPA000001"])
    assert found.method_of(b"/v1/mgmts/status") == ""
    with pytest.raises(Refusal):
        found.portal.recognise(ITS_PEER)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        *SUPPORT.items(),
        (ACCOUNTS.encode(), "GET"),
        (b"/oauth/2.0/token", "POST"),
        (b"/v1/mgmts/orgs", ""),  # 지원-002 is the portal's own
        (b"/v2/mgmts/status", ""),
        (b"/v1/mgmts/status/", ""),
    ],
)
def test_each_path_has_one_method(path, method):
    assert plan(portal=PORTAL).method_of(path) == method


def test_other_parties_are_a_new_plan_of_which_nothing_else_is_new():
    first = plan(provider(), provider("ZCDA000001", "card"), parties=parties("ZOPA000001"), portal=PORTAL)
    second = acquainted(first, parties("ZOPB000001", "ZOPC000001"))
    assert codes(first.callers) == ["ZOPA000001", "ZPTL000001"]
    assert codes(second.callers) == ["ZOPB000001", "ZOPC000001", "ZPTL000001"]  # the portal stays, and stands once
    assert codes(acquainted(second, parties()).callers) == ["ZPTL000001"]
    for code, one in first.institutions.items():
        assert second.institutions[code] is one
    kept = ("generation", "routes", "operator_bucket", "versions", "authority", "support", "portal")
    assert all(getattr(second, name) is getattr(first, name) for name in kept)


MORNING, ALWAYS = ("0000:0700",), ()


def opens(found, org_code="ZBAA000001"):
    """The minutes of the day at which an institution takes scheduled calls; all when it never closes."""
    slots = found.institutions[org_code].slots
    return sum(slots) if slots else 1440


@pytest.mark.parametrize(
    ("file", "told", "minutes"),
    [
        (ALWAYS, None, 1440),
        (MORNING, None, 420),
        (MORNING, ("2200:2400",), 120),  # the portal stands above the file
        (ALWAYS, ("2200:2400",), 120),
    ],
)
def test_slots_told_by_the_portal_stand_above_those_of_the_file(file, told, minutes):
    known = parties("ZOPA000001", slots={} if told is None else {"ZBAA000001": told, "ZBAA000009": ("0000:0100",)})
    made = plan(provider(scheduled_slots=file), provider("ZBAA000002"), parties=known)
    assert (opens(made), opens(made, "ZBAA000002")) == (minutes, 1440)
    later = acquainted(plan(provider(scheduled_slots=file), provider("ZBAA000002")), known)
    assert (opens(later), opens(later, "ZBAA000002")) == (minutes, 1440)
    assert sorted(later.institutions) == ["ZBAA000001", "ZBAA000002"]


def test_slots_the_portal_tells_no_more_are_the_files_again():
    found = plan(provider(scheduled_slots=MORNING), parties=parties(slots={"ZBAA000001": ("2200:2400",)}))
    assert opens(found) == 120
    assert opens(acquainted(found, parties())) == 420


def test_a_day_of_maintenance_is_compiled_from_the_file():
    down = {"date": "20260705", "start": "0200", "end": "0400"}
    found = plan(provider(maintenance=[down]), provider("ZBAA000002"))
    assert found.institutions["ZBAA000001"].maintenance is not None
    assert found.institutions["ZBAA000002"].maintenance is None
