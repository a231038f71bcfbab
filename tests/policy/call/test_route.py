"""Routing: all APIs of the standard are found by their paths, and no other path is accepted."""

import pytest

from relay.domain.fault import Refusal
from relay.domain.ids import INDUSTRIES
from relay.policy.call.route import compile_routes, find_route
from relay.standard.catalogue import load_catalogue

CATALOGUE = load_catalogue()
ROUTES = compile_routes(CATALOGUE)
PAIRS = [(industry, api) for industry in INDUSTRIES for api in CATALOGUE.iter_apis(industry, later=True)]
CARDS = "/v1/card/cards"


def find(method, path):
    return find_route(ROUTES, method, path.encode())


def find_fault(method, path):
    with pytest.raises(Refusal) as refusal:
        find(method, path)
    return refusal.value.fault.name


@pytest.mark.parametrize(("industry", "api"), PAIRS, ids=[f"{industry}-{api.api_id}" for industry, api in PAIRS])
def test_every_api_of_every_industry_is_found_by_its_path(industry, api):
    path = api.path_for(industry).replace("{card_id}", "C1")
    route, asset, version = find(api.method, path)
    assert (route.api, route.industry, route.method) == (api, industry, api.method)
    assert asset == ("C1" if "{card_id}" in api.path else "")
    assert version == route.version == (1 if path.startswith("/v1/") else 0)
    assert (route.scope, route.needs_token) == (api.scope_for(industry), bool(api.scope_for(industry)))
    assert route.api_code == api.api_code
    assert find_fault({"GET": "POST", "POST": "GET"}[api.method], path) == "method_not_allowed"


def test_no_two_apis_share_a_path():
    assert len(ROUTES.literal) + len(ROUTES.assets) == len(PAIRS)


def test_only_the_list_of_apis_needs_no_token():
    free = [route for route in [*ROUTES.literal.values(), *ROUTES.assets.values()] if not route.needs_token]
    assert {route.api.api_id for route in free} == {"정보제공-공통-001"}
    assert len(free) == len(INDUSTRIES)


@pytest.mark.parametrize("card_id", ["1", "abcXYZ019", "0" * 64])
@pytest.mark.parametrize("version", [1, 2, 999])
def test_an_asset_is_letters_and_digits_up_to_64(card_id, version):
    for path in (f"/v{version}/card/cards/{card_id}", f"/v{version}/card/cards/{card_id}/approval-domestic"):
        method = "POST" if path.endswith(card_id) else "GET"
        route, asset, requested = find(find_method(path, method), path)
        assert (asset, requested, route.industry) == (card_id, version, "card")


RESOURCES = ["bills", "bill", "BILLS", "point", "points", "payments", "loans", "cards", "detail", "accounts", "prepaid"]


@pytest.mark.parametrize("name", RESOURCES)
@pytest.mark.parametrize("suffix", ["", "/approval-domestic"])
def test_the_name_of_a_resource_is_not_a_card_id(name, suffix):
    assert find_fault("GET", f"{CARDS}/{name}{suffix}") == "endpoint_unknown"


@pytest.mark.parametrize("card_id", ["bills1", "p0ints", "b", "billss"])
def test_a_card_id_may_resemble_a_resource(card_id):
    assert find("GET", f"{CARDS}/{card_id}")[1] == card_id


def find_method(path, default):
    """Returns the method that the standard has for a card's path."""
    after = b"/" + path.split("/", 5)[5].encode() if path.count("/") > 4 else b""
    route = ROUTES.assets.get((CARDS.encode() + b"/", after))
    return route.method if route else default


@pytest.mark.parametrize(
    "card_id", ["", "0" * 65, "a-b", "a_b", "a.b", "a~b", "..", "{card_id}", "a%41", "%ED%95%9C", "a/b", "a b"]
)
def test_other_card_ids_are_refused(card_id):
    for method in ("GET", "POST"):
        assert find_fault(method, f"{CARDS}/{card_id}/approval-domestic") == "endpoint_unknown"


@pytest.mark.parametrize(("version", "number"), [("v2", 2), ("v10", 10), ("v999", 999)])
def test_another_version_is_returned_for_a_later_check(version, number):
    route, _, requested = find("GET", f"/{version}/bank/accounts")
    assert (route.version, requested) == (1, number)
    assert find_fault("POST", f"/{version}/bank/accounts") == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v1/bank",
        "/v1/bank/",
        "/v1/bank/accounts/",
        "/v1/bank/accounts/x",
        "/V1/bank/accounts",
        "/v1/Bank/accounts",
        "/v1/banks/accounts",
        "/v0/bank/accounts",
        "/v01/bank/accounts",
        "/v1000/bank/accounts",
        "/v-1/bank/accounts",
        "/v1.0/bank/accounts",
        "/v2",
        "/v2/",
        "/v2/bank/nothing",
        "/v1/v1/bank/accounts",
        "/bank/accounts",
        "/v1/card/cards/C1/approval-domestic/more",
        "/v1/card/cards/C1/nothing",
        "/v1/bank/cards/C1",
        "/oauth/2.0/token",
        "/apis",
        "/healthz",
    ],
)
def test_unknown_paths_are_refused_for_any_method(path):
    assert {find_fault(method, path) for method in ("GET", "POST")} == {"endpoint_unknown"}
