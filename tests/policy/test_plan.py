"""The compiled plan: which institution a call means, and what each of them says of itself."""

import json

import pytest

from relay.domain.fault import Refusal
from relay.domain.ids import INDUSTRIES
from relay.policy.conformance import faults_of
from relay.policy.parties import Parties
from relay.policy.plan import compile_plan
from relay.policy.registry import Directory, Provider
from relay.policy.route import find_route
from relay.policy.scalars import Checking, ProviderTimeouts, Rate
from relay.policy.settings import Settings
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


def plan(*providers, **sections):
    return compile_plan(
        settings(**sections), providers or (provider(),), Parties.of_file(Directory()), CATALOGUE, "0123456789ab"
    )


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
