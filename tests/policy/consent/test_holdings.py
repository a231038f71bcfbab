"""Assets of the consent page, read from responses of the sandbox's institutions and from hostile ones."""

from datetime import date

import pytest
from mydata_sandbox.operator.request_values import build_request
from mydata_sandbox.world.handlers import DATA_HANDLERS
from mydata_sandbox.world.model import CUSTOMERS, DataRequest, answer

from relay.domain.authorization.consent import Asset
from relay.domain.fault import Refusal
from relay.domain.ids import INDUSTRIES
from relay.domain.institution import Holding, InstitutionError
from relay.policy.call.assets import compile_asset_check, encode_assets
from relay.policy.consent.holdings import (
    distinguish_labels,
    find_list_apis,
    read_holdings,
    remove_duplicates,
)
from relay.policy.consent.particulars import get_scopes
from relay.standard.catalogue import load_catalogue

CATALOGUE = load_catalogue()
TODAY = date(2026, 11, 20)
LIST_APIS = {
    industry: {list_api.api.api_id: list_api for list_api in find_list_apis(industry, CATALOGUE, later=True)}
    for industry in INDUSTRIES
}
BANK = LIST_APIS["bank"]["은행-001"]
ACCOUNT = {"account_num": "1002003004005", "prod_name": "가람통장", "account_type": "1001", "is_minus": "false"}

each_industry = pytest.mark.parametrize("industry", INDUSTRIES)
each_customer = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.number)


def read_pages(api, industry, customer):
    parameters = {"limit": "500"}
    while True:
        body = answer(DATA_HANDLERS, DataRequest(api, industry, customer, parameters, TODAY))
        yield body
        if "next_page" not in body:
            return
        parameters = parameters | {"next_page": body["next_page"]}


def get_holdings(industry, customer):
    return remove_duplicates(
        holding
        for list_api in LIST_APIS[industry].values()
        for body in read_pages(list_api.api, industry, customer)
        for holding in read_holdings(list_api, body)
    )


def read_rows(*rows, list_api=BANK):
    return read_holdings(list_api, {"rsp_code": "00000", list_api.list_name: list(rows)})


def find_scopes_without_assets(industry):
    """Returns the scopes whose APIs name no asset, so that consent is to the whole scope."""
    rules = get_scopes(industry, CATALOGUE)
    return {scope for scope, rule in rules.items() if rule.asset is None and not scope.endswith(".list")}


@each_industry
def test_every_scope_has_a_list_api_or_no_assets(industry):
    listed = {
        scope
        for list_api in LIST_APIS[industry].values()
        for scope in (list_api.scope, *list_api.scope_by_type.values())
    }
    without = find_scopes_without_assets(industry)
    assert not listed & without
    assert listed | without | {f"{industry}.list"} == set(get_scopes(industry, CATALOGUE))


@each_industry
def test_every_list_api_of_the_industry_is_used(industry):
    lists = {
        api.api_id for api in CATALOGUE.iter_apis(industry, later=True) if api.scope_for(industry) == f"{industry}.list"
    }
    assert set(LIST_APIS[industry]) == lists - {"정보제공-공통-002"}


def test_only_card_companies_have_scopes_without_assets():
    assert find_scopes_without_assets("card") == {"card.point", "card.bill", "card.loan"}
    assert [industry for industry in INDUSTRIES if find_scopes_without_assets(industry)] == ["card"]


def test_future_list_apis_are_returned_only_with_later():
    assert [list_api.api.api_id for list_api in find_list_apis("bank", CATALOGUE)] == ["은행-001", "IRP-001"]
    assert list(LIST_APIS["bank"]) == ["은행-001", "IRP-001", "선불-001"]


@each_industry
@each_customer
def test_sandbox_institutions_have_assets_of_every_scope(industry, customer):
    scopes = {scope for holding in get_holdings(industry, customer) for scope in holding.scopes}
    assert scopes == set(get_scopes(industry, CATALOGUE)) - {f"{industry}.list"} - find_scopes_without_assets(industry)


@each_industry
@each_customer
def test_a_label_is_printable_and_hides_the_full_number(industry, customer):
    for holding in get_holdings(industry, customer):
        assert holding.label.strip()
        assert holding.label.isprintable()
        assert holding.asset.asset not in holding.label


@each_industry
@pytest.mark.parametrize("customer", CUSTOMERS[:2], ids=[1, 2])  # they have accounts of every kind
def test_a_consent_to_all_holdings_allows_all_calls(industry, customer):
    holdings = get_holdings(industry, customer)
    assets = encode_assets(
        {
            scope: [(each.asset.asset, each.asset.seqno) for each in holdings if scope in each.scopes]
            for scope in get_scopes(industry, CATALOGUE)
        }
    )
    answers = {}
    for api in sorted(CATALOGUE.iter_apis(industry), key=lambda api: (not api.scope.endswith(".list"), api.api_id)):
        parameters = build_request(api, {"org_code": "ZZAAAE0000", "client_id": "c"}, answers, TODAY)
        if api.scope and api.api_id in DATA_HANDLERS:
            answers[api.api_id] = [answer(DATA_HANDLERS, DataRequest(api, industry, customer, parameters, TODAY))]
        check = compile_asset_check(api, api.scope_for(industry))
        check(parameters, assets)
        if api.asset:
            with pytest.raises(Refusal, match="asset_not_consented"):
                check(parameters | {api.asset.field: "another"}, assets)


@pytest.mark.parametrize(
    ("changed", "scopes"),
    [
        ({}, ("bank.deposit",)),
        ({"is_minus": None}, ("bank.deposit",)),
        ({"is_minus": "true"}, ("bank.deposit", "bank.loan")),
        ({"is_minus": True}, ("bank.deposit", "bank.loan")),
        ({"account_type": "2003"}, ("bank.invest",)),
        ({"account_type": "3220"}, ("bank.loan",)),
        ({"account_type": 3710}, ("bank.loan",)),
        ({"account_type": "3100", "is_minus": "true"}, ("bank.loan",)),
    ],
)
def test_the_type_of_an_account_decides_its_scopes(changed, scopes):
    assert [holding.scopes for holding in read_rows(ACCOUNT | changed)] == [scopes]


@pytest.mark.parametrize(
    ("changed", "asset"),
    [
        ({}, Asset("1002003004005")),
        ({"account_num": 1002003004005}, Asset("1002003004005")),
        ({"account_num": "100-200-300405"}, Asset("100-200-300405")),
        ({"seqno": "001"}, Asset("1002003004005", "001")),
        ({"seqno": ""}, Asset("1002003004005")),
        ({"seqno": None}, Asset("1002003004005")),
    ],
)
def test_an_asset_is_read_from_its_row(changed, asset):
    assert [holding.asset for holding in read_rows(ACCOUNT | changed)] == [asset]


@pytest.mark.parametrize(
    ("industry", "api_id", "row", "label"),
    [
        ("bank", "은행-001", ACCOUNT, "가람통장 …4005"),
        ("bank", "은행-001", ACCOUNT | {"seqno": "003"}, "가람통장 …4005 3회차"),
        ("bank", "은행-001", ACCOUNT | {"prod_name": "가람\n\u202e통장\x00 "}, "가람 통장 …4005"),
        ("bank", "은행-001", ACCOUNT | {"prod_name": ["가람"]}, "…4005"),
        ("bank", "은행-001", ACCOUNT | {"prod_name": "가" * 500}, "가" * 100 + " …4005"),
        ("card", "카드-001", {"card_id": "C" * 64, "card_name": "나래카드", "card_num": "1234-****-****-5678"},
         "나래카드 1234-****-****-5678"),
        ("card", "카드-001", {"card_id": "C" * 64}, "카드 식별자"),
        ("telecom", "통신-001", {"mgmt_id": "M1", "type": "01", "telecom_num": "010-1***-3***"},
         "휴대폰 010-1***-3***"),
        ("p2p", "P2P-001", {"lending_id": "L-2024-0001", "type": "05"}, "개인 신용대출 …0001"),
        ("usury", "채권-001", {"bond_num": "B12345", "bond_type": "03"}, "매입추심 …2345"),
    ],
)  # fmt: skip
def test_a_label_names_the_asset_to_the_customer(industry, api_id, row, label):
    assert [holding.label for holding in read_rows(row, list_api=LIST_APIS[industry][api_id])] == [label]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rsp_code"),
        ({"rsp_code": "40403", "account_list": []}, "rsp_code"),
        ({"rsp_code": "00000"}, "account_list"),
        ({"rsp_code": "00000", "account_cnt": "2"}, "account_list"),
        ({"rsp_code": "00000", "account_list": {}}, "account_list"),
        ({"rsp_code": "00000", "account_list": "x"}, "account_list"),
        ({"rsp_code": "00000", "account_list": [ACCOUNT] * 501}, "account_list"),
        ({"rsp_code": "00000", "account_list": ["x"]}, "account_list"),
        ({"rsp_code": "00000", "account_list": [None]}, "account_list"),
    ],
)
def test_a_response_without_a_valid_list_is_an_institution_fault(body, field):
    with pytest.raises(InstitutionError, match=f"은행-001: {field} is not as documented"):
        read_holdings(BANK, body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("account_num", value) for value in (None, "", "1" * 21, "1\n2", 1.5, True, ["1"], {"a": 1}, "1\u202e2")),
        *(("account_type", value) for value in (None, "", "9001", "x", ["1001"])),
        *(("seqno", value) for value in ("1" * 8, "0\t1", 1.5, ["1"], {"a": 1}, True)),
        ("is_minus", "perhaps"),
    ],
)
def test_an_invalid_row_is_a_fault_without_its_value(name, value):
    with pytest.raises(InstitutionError) as fault:
        read_rows(ACCOUNT, ACCOUNT | {name: value})
    assert str(fault.value) == f"은행-001: {name} is not as documented"


def test_an_empty_list_may_be_omitted():
    assert read_rows() == []
    assert read_holdings(BANK, {"rsp_code": "00000", "account_cnt": "0"}) == []


def test_duplicates_of_overlapping_pages_are_removed():
    first, second = Holding(("a.b",), Asset("1"), "하나"), Holding(("a.b",), Asset("1", "002"), "둘")
    assert remove_duplicates([first, second, first]) == (first, second)


@pytest.mark.parametrize(
    ("assets", "labels"),
    [
        (("110-222-331234", "110-222-341234"), ("통장 …31234", "통장 …41234")),
        (("5551234", "6551234"), ("통장 …5551234", "통장 …6551234")),
        (("1234", "91234"), ("통장 …1234", "통장 …91234")),
        (("1234", "5678"), ("통장 …1234", "통장 …5678")),
        (("11234", "21234", "31235"), ("통장 …11234", "통장 …21234", "통장 …1235")),
    ],
)
def test_equal_labels_show_as_many_digits_as_differ(assets, labels):
    holdings = [Holding(("bank.deposit",), Asset(asset), f"통장 …{asset[-4:]}") for asset in assets]
    assert tuple(holding.label for holding in distinguish_labels(holdings)) == labels
    assert tuple(holding.asset.asset for holding in distinguish_labels(holdings)) == assets


def test_digits_of_a_label_grow_or_are_added():
    loans = [Holding(("bank.loan",), Asset(asset, "2"), "대출 …1234 2회차") for asset in ("51234", "61234")]
    assert [holding.label for holding in distinguish_labels(loans)] == ["대출 …51234 2회차", "대출 …61234 2회차"]
    cards = [Holding(("card.card",), Asset(asset), "가온카드") for asset in ("C0001", "C0002")]
    assert [holding.label for holding in distinguish_labels(cards)] == ["가온카드 …0001", "가온카드 …0002"]


def test_labels_with_equal_numbers_are_numbered():
    holdings = [Holding(("bank.deposit",), Asset("1234", seqno), "통장 …1234 1회차") for seqno in ("1", "001")]
    assert [holding.label for holding in distinguish_labels(holdings)] == [
        "통장 …1234 1회차 (1)",
        "통장 …1234 1회차 (2)",
    ]


def test_equal_labels_of_different_scopes_are_kept():
    holdings = [Holding((scope,), Asset(asset), "통장") for scope, asset in (("bank.deposit", "1"), ("bank.loan", "2"))]
    assert distinguish_labels(holdings) == tuple(holdings)
