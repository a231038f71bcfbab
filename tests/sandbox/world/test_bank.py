"""The bank: true to the catalogue, the same twice, and every account adds up."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from relay.sandbox.world.model import CUSTOMERS, Absent

DEPOSIT, INVEST, LOAN = "은행-004", "은행-007", "은행-010"
FIVE_YEARS = {"from_date": "20211121", "to_date": "20261120"}
LAST_MONTH = {"from_date": "20261021", "to_date": "20261120"}


@pytest.fixture(params=CUSTOMERS, ids=lambda customer: customer.name)
def bank(request, teller):
    return teller("bank", request.param)


def named(row: dict) -> dict[str, str]:
    return {key: row[key] for key in ("account_num", "seqno") if key in row}


def accounts(bank, first: str) -> list[dict]:
    return [row for row in bank.pages("은행-001", "account_list") if row["account_type"].startswith(first)]


def api_of(row: dict) -> str:
    return {"1": DEPOSIT, "2": INVEST, "3": LOAN}[row["account_type"][0]]


def change(row: dict) -> Decimal:
    amount = Decimal(row["trans_amt"])
    return -amount if row["trans_type"] == "02" else amount


def test_accounts_are_listed_by_kind_and_number(bank):
    rows = bank.pages("은행-001", "account_list")
    assert rows == sorted(rows, key=lambda row: (row["account_type"], row["account_num"]))
    assert len({(row["account_num"], row.get("seqno")) for row in rows}) == len(rows)
    assert {row["account_type"][0] for row in rows} == {"1", "2", "3"}


def test_only_deposits_say_whether_they_are_foreign_or_may_go_below_zero(bank):
    for row in bank.pages("은행-001", "account_list"):
        is_deposit = row["account_type"].startswith("1")
        assert ("is_foreign_deposit" in row) is is_deposit
        assert ("is_minus" in row) is is_deposit


def test_somebody_has_more_accounts_than_a_page_holds(teller):
    assert "next_page" in teller("bank", CUSTOMERS[2])("은행-001", limit="500")


def test_every_account_tells_its_basics_and_details(bank):
    rooms = {"1": ("은행-002", "은행-003"), "2": ("은행-005", "은행-006"), "3": ("은행-008", "은행-009")}
    for row in bank.pages("은행-001", "account_list"):
        for api_id in rooms[row["account_type"][0]]:
            assert bank(api_id, **named(row)) == bank(api_id, **named(row))


def test_windows_are_parts_of_larger_windows(bank):
    for row in bank.pages("은행-001", "account_list"):
        api_id = api_of(row)
        whole = bank.told(api_id, **named(row), **FIVE_YEARS)["trans_list"]
        assert whole == sorted(whole, key=lambda told: told["trans_dtime"], reverse=True)
        part = bank.told(api_id, **named(row), from_date="20250310", to_date="20250422")["trans_list"]
        assert part == [told for told in whole if date(2025, 3, 10) <= told["trans_dtime"].date() <= date(2025, 4, 22)]


def test_the_past_stays_as_it_was_told(bank, teller):
    earlier = teller("bank", bank.customer, today=date(2025, 5, 6))
    window = {"from_date": "20240901", "to_date": "20250506"}
    for row in bank.pages("은행-001", "account_list"):
        assert bank.told(api_of(row), **named(row), **window) == earlier.told(api_of(row), **named(row), **window)


def test_pages_of_transactions_hold_them_all_once(bank):
    for row in accounts(bank, "1"):
        window = named(row) | LAST_MONTH
        paged = bank.pages(DEPOSIT, "trans_list", 13, **window)
        assert len(paged) == len(bank.told(DEPOSIT, **window)["trans_list"])
        assert len({(told["trans_no"], told["trans_dtime"]) for told in paged}) == len(paged)


def test_somebody_pays_more_often_than_two_pages_hold(bank):
    counts = [len(bank.told(DEPOSIT, **named(row), **LAST_MONTH)["trans_list"]) for row in accounts(bank, "1")]
    assert max(counts) > 40


def test_deposits_add_up_to_the_balance_of_today(bank):
    for row in accounts(bank, "1"):
        told = bank.told(DEPOSIT, **named(row), from_date="20080101", to_date="20261120")["trans_list"][::-1]
        for detail in bank("은행-003", **named(row))["detail_list"]:
            balance = Decimal(0)
            for move in (move for move in told if move["currency_code"] == detail["currency_code"]):
                balance += change(move)
                assert Decimal(move["balance_amt"]) == balance
            assert Decimal(detail["balance_amt"]) == balance


def test_savings_count_what_was_paid_in(bank):
    for row in accounts(bank, "1003"):
        basic = bank("은행-002", **named(row))["basic_list"][0]
        detail = bank("은행-003", **named(row))["detail_list"][0]
        told = bank.pages(DEPOSIT, "trans_list", **named(row), from_date=basic["issue_date"], to_date="20261120")
        turns = [int(move["paid_in_cnt"]) for move in told if "paid_in_cnt" in move]
        assert max(turns) == int(detail["last_paid_in_cnt"])
        assert ("exp_date" in basic) is ("청약" not in row["prod_name"])
        assert basic["issue_date"] <= "20261120" < basic.get("exp_date", "99991231")


def test_a_credit_line_is_told_as_deposit_and_as_loan(bank):
    (row,) = [row for row in accounts(bank, "1") if row["is_minus"] == "true"]
    deposit = bank("은행-003", **named(row))["detail_list"][0]
    loan, contract = bank("은행-009", **named(row)), bank("은행-008", **named(row))
    assert Decimal(loan["balance_amt"]) == -Decimal(deposit["balance_amt"]) > 0
    assert Decimal(deposit["withdrawable_amt"]) == Decimal(loan["loan_principal"]) - Decimal(loan["balance_amt"])
    assert contract["repay_method"] == "08"
    assert "next_repay_date" not in loan
    assert "repay_date" not in contract
    with pytest.raises(Absent):
        bank(LOAN, **named(row), **LAST_MONTH, limit="20")


def test_repayments_are_principal_and_interest(bank):
    for row in accounts(bank, "3"):
        detail = bank("은행-009", **named(row))
        told = bank.pages(LOAN, "trans_list", **named(row), from_date="20150101", to_date="20261120")
        owed = Decimal(detail["balance_amt"])
        assert Decimal(told[0]["balance_amt"]) == owed
        for move in told[:-1]:
            assert Decimal(move["trans_amt"]) == Decimal(move["principal_amt"]) + Decimal(move["int_amt"])
            assert Decimal(move["int_amt"]) == sum(Decimal(part["applied_int_amt"]) for part in move["int_list"])
            assert Decimal(move["balance_amt"]) == owed
            owed += Decimal(move["principal_amt"])
        assert (told[-1]["trans_type"], Decimal(told[-1]["trans_amt"])) == ("01", owed)
        assert detail["next_repay_date"] > "20261120"


def test_funds_are_worth_their_units(bank):
    for row in accounts(bank, "2"):
        detail = bank("은행-006", **named(row))
        told = bank.pages(INVEST, "trans_list", **named(row), from_date="20150101", to_date="20261120")
        settled = [move for move in told if move["trans_type"] in {"01", "02"}]
        assert sum(Decimal(move["trans_amt"]) for move in settled) == Decimal(detail["inv_principal"])
        units = sum(Decimal(move.get("trans_fund_num", 0)) for move in settled)
        assert units == Decimal(detail.get("fund_num", 0))
        assert all("base_amt" not in move for move in told if move["trans_type"] in {"04", "05"})


@pytest.mark.parametrize("api_id", [f"은행-{number:03}" for number in range(2, 11)])
def test_an_unknown_account_is_absent(bank, api_id):
    with pytest.raises(Absent) as absent:
        bank(api_id, account_num="9999999999", **LAST_MONTH, limit="20")
    assert (absent.value.status, absent.value.rsp_code) == (404, "40402")


def test_an_account_with_rounds_must_be_asked_by_round(bank):
    row = next(row for row in accounts(bank, "1") if "seqno" in row)
    with pytest.raises(Absent):
        bank("은행-002", account_num=row["account_num"])


def test_the_future_is_not_told(bank):
    for row in bank.pages("은행-001", "account_list"):
        window = {"from_date": "20261101", "to_date": "20271031"}
        moves = bank.told(api_of(row), **named(row), **window)["trans_list"]
        assert all(move["trans_dtime"].date() <= bank.today for move in moves)


@pytest.mark.parametrize("back", [1, 19, 20, 21, 44, 131, 300])
def test_balances_hold_on_other_days(bank, teller, back):
    today = bank.today - timedelta(days=back)
    then = teller("bank", bank.customer, today=today)
    window = {"from_date": f"{today - timedelta(days=500):%Y%m%d}", "to_date": f"{today:%Y%m%d}"}
    for row in accounts(then, "1"):
        moves = then.told(DEPOSIT, **named(row), **window)["trans_list"]
        latest = {move["currency_code"]: move["balance_amt"] for move in reversed(moves)}
        details = then.told("은행-003", **named(row))["detail_list"]
        assert latest == {detail["currency_code"]: detail["balance_amt"] for detail in details}
