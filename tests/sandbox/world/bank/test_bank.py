"""The bank: responses fit the catalogue, repeat exactly, and add up for each account."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

DEPOSIT, INVEST, LOAN = "은행-004", "은행-007", "은행-010"
FIVE_YEARS = {"from_date": "20211121", "to_date": "20261120"}
LAST_MONTH = {"from_date": "20261021", "to_date": "20261120"}


@pytest.fixture(params=CUSTOMERS, ids=lambda customer: customer.name)
def bank(request, build_client):
    return build_client("bank", request.param)


def get_asset_params(row: dict) -> dict[str, str]:
    return {key: row[key] for key in ("account_num", "seqno") if key in row}


def list_accounts(bank, first: str) -> list[dict]:
    return [row for row in bank.fetch_pages("은행-001", "account_list") if row["account_type"].startswith(first)]


def get_transactions_api(row: dict) -> str:
    return {"1": DEPOSIT, "2": INVEST, "3": LOAN}[row["account_type"][0]]


def get_signed_amount(row: dict) -> Decimal:
    amount = Decimal(row["trans_amt"])
    return -amount if row["trans_type"] == "02" else amount


def test_accounts_are_listed_by_kind_and_number(bank):
    rows = bank.fetch_pages("은행-001", "account_list")
    assert rows == sorted(rows, key=lambda row: (row["account_type"], row["account_num"]))
    assert len({(row["account_num"], row.get("seqno")) for row in rows}) == len(rows)
    assert {row["account_type"][0] for row in rows} == {"1", "2", "3"}


def test_only_deposits_have_the_foreign_and_overdraft_flags(bank):
    for row in bank.fetch_pages("은행-001", "account_list"):
        is_deposit = row["account_type"].startswith("1")
        assert ("is_foreign_deposit" in row) is is_deposit
        assert ("is_minus" in row) is is_deposit


def test_a_customer_has_more_accounts_than_one_page_holds(build_client):
    assert "next_page" in build_client("bank", CUSTOMERS[2])("은행-001", limit="500")


def test_every_account_has_basics_and_details(bank):
    api_ids = {"1": ("은행-002", "은행-003"), "2": ("은행-005", "은행-006"), "3": ("은행-008", "은행-009")}
    for row in bank.fetch_pages("은행-001", "account_list"):
        for api_id in api_ids[row["account_type"][0]]:
            assert bank(api_id, **get_asset_params(row)) == bank(api_id, **get_asset_params(row))


def test_a_shorter_period_returns_part_of_a_longer_one(bank):
    for row in bank.fetch_pages("은행-001", "account_list"):
        api_id = get_transactions_api(row)
        whole = bank.call_handler(api_id, **get_asset_params(row), **FIVE_YEARS)["trans_list"]
        assert whole == sorted(whole, key=lambda movement: movement["trans_dtime"], reverse=True)
        part = bank.call_handler(api_id, **get_asset_params(row), from_date="20250310", to_date="20250422")[
            "trans_list"
        ]
        assert part == [
            movement for movement in whole if date(2025, 3, 10) <= movement["trans_dtime"].date() <= date(2025, 4, 22)
        ]


def test_past_transactions_do_not_change(bank, build_client):
    earlier = build_client("bank", bank.customer, today=date(2025, 5, 6))
    window = {"from_date": "20240901", "to_date": "20250506"}
    for row in bank.fetch_pages("은행-001", "account_list"):
        assert bank.call_handler(get_transactions_api(row), **get_asset_params(row), **window) == earlier.call_handler(
            get_transactions_api(row), **get_asset_params(row), **window
        )


def test_pages_hold_every_transaction_once(bank):
    for row in list_accounts(bank, "1"):
        window = get_asset_params(row) | LAST_MONTH
        paged = bank.fetch_pages(DEPOSIT, "trans_list", 13, **window)
        assert len(paged) == len(bank.call_handler(DEPOSIT, **window)["trans_list"])
        assert len({(movement["trans_no"], movement["trans_dtime"]) for movement in paged}) == len(paged)


def test_a_month_has_more_transactions_than_two_pages_hold(bank):
    counts = [
        len(bank.call_handler(DEPOSIT, **get_asset_params(row), **LAST_MONTH)["trans_list"])
        for row in list_accounts(bank, "1")
    ]
    assert max(counts) > 40


def test_deposits_add_up_to_todays_balance(bank):
    for row in list_accounts(bank, "1"):
        movements = bank.call_handler(DEPOSIT, **get_asset_params(row), from_date="20080101", to_date="20261120")[
            "trans_list"
        ][::-1]
        for detail in bank("은행-003", **get_asset_params(row))["detail_list"]:
            balance = Decimal(0)
            for movement in (
                movement for movement in movements if movement["currency_code"] == detail["currency_code"]
            ):
                balance += get_signed_amount(movement)
                assert Decimal(movement["balance_amt"]) == balance
            assert Decimal(detail["balance_amt"]) == balance


def test_savings_count_their_payments(bank):
    for row in list_accounts(bank, "1003"):
        basic = bank("은행-002", **get_asset_params(row))["basic_list"][0]
        detail = bank("은행-003", **get_asset_params(row))["detail_list"][0]
        movements = bank.fetch_pages(
            DEPOSIT, "trans_list", **get_asset_params(row), from_date=basic["issue_date"], to_date="20261120"
        )
        numbers = [int(movement["paid_in_cnt"]) for movement in movements if "paid_in_cnt" in movement]
        assert max(numbers) == int(detail["last_paid_in_cnt"])
        assert ("exp_date" in basic) is ("청약" not in row["prod_name"])
        assert basic["issue_date"] <= "20261120" < basic.get("exp_date", "99991231")


def test_an_overdraft_is_both_a_deposit_and_a_loan(bank):
    (row,) = [row for row in list_accounts(bank, "1") if row["is_minus"] == "true"]
    deposit = bank("은행-003", **get_asset_params(row))["detail_list"][0]
    loan, contract = bank("은행-009", **get_asset_params(row)), bank("은행-008", **get_asset_params(row))
    assert Decimal(loan["balance_amt"]) == -Decimal(deposit["balance_amt"]) > 0
    assert Decimal(deposit["withdrawable_amt"]) == Decimal(loan["loan_principal"]) - Decimal(loan["balance_amt"])
    assert contract["repay_method"] == "08"
    assert "next_repay_date" not in loan
    assert "repay_date" not in contract
    with pytest.raises(ApiError):
        bank(LOAN, **get_asset_params(row), **LAST_MONTH, limit="20")


def test_repayments_are_principal_and_interest(bank):
    for row in list_accounts(bank, "3"):
        detail = bank("은행-009", **get_asset_params(row))
        movements = bank.fetch_pages(
            LOAN, "trans_list", **get_asset_params(row), from_date="20150101", to_date="20261120"
        )
        balance = Decimal(detail["balance_amt"])
        assert Decimal(movements[0]["balance_amt"]) == balance
        for movement in movements[:-1]:
            assert Decimal(movement["trans_amt"]) == Decimal(movement["principal_amt"]) + Decimal(movement["int_amt"])
            assert Decimal(movement["int_amt"]) == sum(
                Decimal(part["applied_int_amt"]) for part in movement["int_list"]
            )
            assert Decimal(movement["balance_amt"]) == balance
            balance += Decimal(movement["principal_amt"])
        assert (movements[-1]["trans_type"], Decimal(movements[-1]["trans_amt"])) == ("01", balance)
        assert detail["next_repay_date"] > "20261120"


def test_funds_add_up_to_their_units(bank):
    for row in list_accounts(bank, "2"):
        detail = bank("은행-006", **get_asset_params(row))
        movements = bank.fetch_pages(
            INVEST, "trans_list", **get_asset_params(row), from_date="20150101", to_date="20261120"
        )
        settled = [movement for movement in movements if movement["trans_type"] in {"01", "02"}]
        assert sum(Decimal(movement["trans_amt"]) for movement in settled) == Decimal(detail["inv_principal"])
        units = sum(Decimal(movement.get("trans_fund_num", 0)) for movement in settled)
        assert units == Decimal(detail.get("fund_num", 0))
        assert all("base_amt" not in movement for movement in movements if movement["trans_type"] in {"04", "05"})


@pytest.mark.parametrize("api_id", [f"은행-{number:03}" for number in range(2, 11)])
def test_an_unknown_account_is_rejected(bank, api_id):
    with pytest.raises(ApiError) as error:
        bank(api_id, account_num="9999999999", **LAST_MONTH, limit="20")
    assert (error.value.status, error.value.rsp_code) == (404, "40402")


def test_an_account_with_rounds_needs_the_round(bank):
    row = next(row for row in list_accounts(bank, "1") if "seqno" in row)
    with pytest.raises(ApiError):
        bank("은행-002", account_num=row["account_num"])


def test_future_transactions_are_not_returned(bank):
    for row in bank.fetch_pages("은행-001", "account_list"):
        window = {"from_date": "20261101", "to_date": "20271031"}
        movements = bank.call_handler(get_transactions_api(row), **get_asset_params(row), **window)["trans_list"]
        assert all(movement["trans_dtime"].date() <= bank.today for movement in movements)


@pytest.mark.parametrize("days_back", [1, 19, 20, 21, 44, 131, 300])
def test_balances_add_up_on_other_days(bank, build_client, days_back):
    today = bank.today - timedelta(days=days_back)
    earlier = build_client("bank", bank.customer, today=today)
    window = {"from_date": f"{today - timedelta(days=500):%Y%m%d}", "to_date": f"{today:%Y%m%d}"}
    for row in list_accounts(earlier, "1"):
        movements = earlier.call_handler(DEPOSIT, **get_asset_params(row), **window)["trans_list"]
        latest = {movement["currency_code"]: movement["balance_amt"] for movement in reversed(movements)}
        details = earlier.call_handler("은행-003", **get_asset_params(row))["detail_list"]
        assert latest == {detail["currency_code"]: detail["balance_amt"] for detail in details}
