"""The broker: responses fit the catalogue, repeat exactly, and add up for each account."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

PAST = {"from_date": "20100101", "to_date": "20261120"}
SATURDAY = 5


@pytest.fixture(params=CUSTOMERS, ids=lambda customer: customer.name)
def broker(request, build_client):
    return build_client("invest", request.param)


@pytest.fixture
def accounts(broker) -> list[dict]:
    return broker.fetch_pages("금투-001", "account_list")


def list_trades(broker, account: dict, **window: str) -> list[dict]:
    """Returns the account's trades, oldest first."""
    return broker.call_handler("금투-003", account_num=account["account_num"], **(window or PAST))["trans_list"][::-1]


def test_accounts_are_listed_by_kind(accounts):
    kinds = [row["account_type"] for row in accounts]
    assert kinds == sorted(kinds)
    assert "105" in kinds


def test_responses_repeat_exactly(broker, accounts):
    for row in accounts:
        for api_id in ("금투-002", "금투-004"):
            data_request = {"account_num": row["account_num"]} | ({"limit": "20"} if api_id == "금투-004" else {})
            assert broker(api_id, **data_request) == broker(api_id, **data_request)


def test_settled_amounts_add_up_to_the_cash(broker, accounts):
    for row in accounts:
        cash = defaultdict(Decimal)
        for trade in list_trades(broker, row):
            is_incoming = trade["trans_type"] in {"301", "342"}
            cash[trade["currency_code"]] += trade["settle_amt"] if is_incoming else -trade["settle_amt"]
            assert trade["balance_amt"] == cash[trade["currency_code"]] >= 0
        for basic in broker("금투-002", account_num=row["account_num"])["basic_list"]:
            assert Decimal(basic["withholdings_amt"]) == cash[basic["currency_code"]]


def test_trades_add_up_to_the_holdings(broker, accounts):
    for row in accounts:
        held = defaultdict(Decimal)
        for trade in list_trades(broker, row):
            if trade["trans_type"] in {"341", "342"}:
                assert trade["trans_amt"] == trade["base_amt"] * trade["trans_num"]
                held[trade["prod_code"]] += trade["trans_num"] if trade["trans_type"] == "341" else -trade["trans_num"]
                assert held[trade["prod_code"]] >= 0
        products = broker.fetch_pages("금투-004", "prod_list", account_num=row["account_num"])
        assert {product["prod_code"]: Decimal(product["holding_num"]) for product in products} == held
        codes = [product["prod_code"] for product in products]
        assert codes == sorted(codes)


def test_conditional_fields_follow_their_conditions(broker, accounts):
    for row in accounts:
        for product in broker.fetch_pages("금투-004", "prod_list", account_num=row["account_num"]):
            assert ("ex_code" in product) is (product["prod_type"] == "402")
            assert ("pos_type" in product) is (product["prod_type"] in {"408", "409", "410"})
        window = {"from_date": "20261021", "to_date": "20261120"}
        for trade in broker.fetch_pages("금투-003", "trans_list", account_num=row["account_num"], **window):
            assert ("trans_num" in trade) is (trade["trans_type"] in {"341", "342"})


def test_exchanges_are_closed_on_weekends(broker, accounts):
    for row in accounts:
        traded = [trade["trans_dtime"] for trade in list_trades(broker, row) if trade["trans_num"]]
        assert all(moment.weekday() < SATURDAY for moment in traded)


def test_a_shorter_period_returns_part_of_a_longer_one(broker, accounts, build_client):
    earlier = build_client("invest", broker.customer, today=date(2025, 8, 14))
    for row in accounts:
        part = list_trades(broker, row, from_date="20250603", to_date="20250703")
        whole = list_trades(broker, row)
        assert part == [trade for trade in whole if date(2025, 6, 3) <= trade["trans_dtime"].date() <= date(2025, 7, 3)]
        assert part == list_trades(earlier, row, from_date="20250603", to_date="20250703")


def test_pages_hold_every_trade_once(broker, accounts):
    for row in accounts:
        window = {"from_date": "20260801", "to_date": "20261120"}
        paged = broker.fetch_pages("금투-003", "trans_list", 9, account_num=row["account_num"], **window)
        assert len({trade["trans_no"] for trade in paged}) == len(paged) == len(list_trades(broker, row, **window))


def test_pensions_report_their_payments(broker, accounts):
    for row in accounts:
        if row["account_type"] != "105":
            with pytest.raises(ApiError):
                broker("금투-005", account_num=row["account_num"])
            continue
        pension = broker("금투-005", account_num=row["account_num"])
        paid = [trade for trade in list_trades(broker, row) if trade["trans_type"] == "301"]
        assert Decimal(pension["paid_in_amt"]) == sum(trade["trans_amt"] for trade in paid)
        assert pension["last_paid_in_date"] == f"{paid[-1]['trans_dtime']:%Y%m%d}"
        assert pension["issue_date"] == row["issue_date"]


def test_a_customer_holds_more_than_one_page(build_client):
    broker = build_client("invest", CUSTOMERS[0])
    assert "next_page" in broker("금투-004", account_num="60120180312001", limit="500")


@pytest.mark.parametrize("api_id", [f"금투-{number:03}" for number in range(2, 6)])
def test_an_unknown_account_is_rejected(broker, api_id):
    with pytest.raises(ApiError, match="40402"):
        broker(api_id, account_num="1", limit="20", **PAST)
