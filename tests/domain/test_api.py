"""The catalogue, with three APIs."""

import pytest

from relay.domain.api import Api, Catalogue, Cycle, Message

EMPTY = Message(header=(), path=(), query=(), body=())


def api(api_id, resource, industries, later=(), scope="{industry}.list"):
    return Api(
        api_id=api_id, api_code="XX01", name="이름", name_en="name", method="GET",
        path=f"/v1/{{industry}}/{resource}", resource=resource, version="v1", industries=industries, later=later,
        cycle=Cycle.BASIC if industries else None, scope=scope, request=EMPTY, response=EMPTY,
    )  # fmt: skip


COMMON = api("공통-001", "apis", ("bank", "card"), later=("usury",), scope="")
CARD = api("카드-001", "cards/{card_id}", ("card",))
OAUTH = api("개별인증-002", "token", (), scope="")
CATALOGUE = Catalogue({each.api_id: each for each in (COMMON, CARD, OAUTH)})


@pytest.mark.parametrize(
    ("industry", "path"),
    [
        ("bank", "/v1/bank/apis"),
        ("usury", "/v1/usury/apis"),
    ],
)
def test_one_api_has_one_path_in_each_industry(industry, path):
    assert COMMON.path_for(industry) == path


def test_a_path_keeps_the_card_id_placeholder():
    assert CARD.path_for("card") == "/v1/card/cards/{card_id}"


def test_a_scope_contains_the_industry():
    assert CARD.scope_for("card") == "card.list"


def test_an_api_without_token_has_no_scope():
    assert COMMON.scope_for("bank") == ""


@pytest.mark.parametrize(
    ("industry", "later", "apis"),
    [
        ("bank", False, [COMMON]),
        ("card", False, [COMMON, CARD]),
        ("usury", False, []),
        ("usury", True, [COMMON]),
        ("card", True, [COMMON, CARD]),
        ("p2p", True, []),
    ],
)
def test_an_industry_has_its_apis_and_optionally_later_ones(industry, later, apis):
    assert list(CATALOGUE.iter_apis(industry, later=later)) == apis


def test_data_apis_are_those_with_an_industry_in_order():
    assert list(CATALOGUE.iter_data_apis()) == [COMMON, CARD]
