"""The insurer: responses fit the catalogue and repeat exactly, premiums and loans add up."""

from datetime import date
from decimal import Decimal

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

PAST = {"from_date": "20090101", "to_date": "20261120"}


@pytest.fixture(params=CUSTOMERS, ids=lambda customer: customer.name)
def insurer(request, build_client):
    return build_client("insu", request.param)


@pytest.fixture
def policies(insurer) -> list[dict]:
    return insurer.fetch_pages("보험-001", "insu_list")


@pytest.fixture
def loans(insurer) -> list[dict]:
    return insurer.fetch_pages("보험-008", "loan_list")


def test_every_customer_has_each_kind_of_policy(policies, loans):
    assert {"01", "10", "16", "17"} <= {row["insu_type"] for row in policies}
    assert "3400" in {row["account_type"] for row in loans}
    assert len({row["insu_num"] for row in policies}) == len(policies)


def test_a_customer_has_more_policies_than_one_page_holds(build_client):
    assert "next_page" in build_client("insu", CUSTOMERS[1])("보험-001", limit="500")


def test_matured_policies_are_shown_for_five_years(insurer, policies):
    for row in policies:
        expiry = insurer("보험-002", insu_num=row["insu_num"])["exp_date"]
        assert (row["insu_status"] == "05") is (expiry <= "20261120")
        assert expiry >= "20211120"


def test_every_policy_has_riders_and_coverages(insurer, policies):
    for row in policies:
        params = {"insu_num": row["insu_num"]}
        basic = insurer("보험-002", **params)
        assert basic == insurer("보험-002", **params)
        assert ("pension_rcv_cycle" in basic) is (row["insu_type"] == "10")
        first, *_ = basic["insured_list"]
        contracts = insurer("보험-003", **params, insured_no=first["insured_no"])["contract_list"]
        assert contracts[0]["contract_face_amt"] == basic["face_amt"]
        assert contracts[0]["is_required"] == "true"
        for other in basic["insured_list"][1:]:
            assert insurer("보험-003", **params, insured_no=other["insured_no"])["contract_list"]
        for coverage in insurer("보험-012", **params)["coverage_list"]:
            assert ("type" in coverage) is (row["insu_type"] == "16")


def test_premiums_are_paid_as_agreed(insurer, policies):
    for row in policies:
        terms = insurer("보험-005", insu_num=row["insu_num"])
        rows = insurer.call_handler("보험-006", insu_num=row["insu_num"], **PAST)["trans_list"][::-1]
        assert ("pay_date" in terms) is (terms["pay_cycle"] != "99")
        assert ("pay_org_code" in terms) is (rows[-1]["pay_method"] == "02")
        if row["insu_type"] == "17":
            continue
        assert [paid["paid_in_cnt"] for paid in rows] == list(range(1, len(rows) + 1))
        assert {paid["paid_amt"] for paid in rows} == {int(Decimal(terms["pay_amt"]))}
        assert len(rows) <= int(terms["pay_cnt"])


def test_premiums_of_a_car_are_paid_year_by_year(insurer, policies):
    (row,) = [row for row in policies if row["insu_type"] == "17"]
    params = {"insu_num": row["insu_num"]}
    (car,) = insurer("보험-004", **params)["car_insu_list"]
    assert car["start_date"] <= "20261120" < car["end_date"]
    paid = insurer.fetch_pages("보험-007", "trans_list", **params, car_number=car["car_number"], **PAST)
    earlier = [payment for payment in paid if payment["trans_dtime"][:8] < car["start_date"]]
    for due in {payment["face_amt"] for payment in earlier}:
        parts = [payment for payment in earlier if payment["face_amt"] == due]
        years = [payment for payment in parts if payment["paid_in_cnt"] == "1"]
        assert sum(int(payment["paid_amt"]) for payment in parts) == int(due) * len(years)
    with pytest.raises(ApiError, match="40402"):
        insurer("보험-007", **params, car_number="00가0000", limit="20", **PAST)


def test_only_car_policies_have_a_car(insurer, policies):
    other = next(row for row in policies if row["insu_type"] != "17")
    with pytest.raises(ApiError, match="40402"):
        insurer("보험-004", insu_num=other["insu_num"])


def test_policy_loans_name_their_policy(insurer, policies, loans):
    numbers = {row["insu_num"] for row in policies}
    for row in loans:
        basic = insurer("보험-009", account_num=row["account_num"])
        assert ("insu_num" in basic) is (row["account_type"] == "3400")
        assert basic.get("insu_num") in {None, *numbers}
        assert basic["loan_start_date"] < "20261120" < basic["loan_exp_date"]


def test_loan_repayments_add_up_to_the_balance(insurer, loans):
    for row in loans:
        detail = insurer("보험-010", account_num=row["account_num"])
        rows = insurer.fetch_pages("보험-011", "trans_list", account_num=row["account_num"], **PAST)
        repaid = sum(Decimal(payment["loan_paid_amt"]) for payment in rows)
        assert Decimal(detail["loan_principal"]) - repaid == Decimal(detail["balance_amt"])
        assert detail["next_repay_date"] > "20261120"


def test_a_shorter_period_returns_part_of_a_longer_one(insurer, policies, loans):
    period = {"from_date": "20250115", "to_date": "20250615"}
    queries = [("보험-006", {"insu_num": row["insu_num"]}, "trans_date") for row in policies]
    queries += [("보험-011", {"account_num": row["account_num"]}, "trans_dtime") for row in loans]
    for api_id, params, date_field in queries:
        whole = insurer.call_handler(api_id, **params, **PAST)["trans_list"]
        part = insurer.call_handler(api_id, **params, **period)["trans_list"]
        assert part == [row for row in whole if "2025-01-15" <= str(row[date_field])[:10] <= "2025-06-15"]


def test_past_transactions_do_not_change(insurer, policies, build_client):
    earlier = build_client("insu", insurer.customer, today=date(2025, 6, 30))
    for row in policies:
        start = insurer("보험-002", insu_num=row["insu_num"])["issue_date"]
        if start <= "20250101" or row["insu_type"] == "17":
            period = {"insu_num": row["insu_num"], "from_date": "20240115", "to_date": "20250615"}
            assert insurer.call_handler("보험-006", **period) == earlier.call_handler("보험-006", **period)


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6, 7, 9, 10, 11, 12])
def test_an_unknown_asset_is_rejected(insurer, number):
    params = {"insu_num": "1", "account_num": "1", "insured_no": "1", "car_number": "1", "limit": "20"}
    with pytest.raises(ApiError, match="40402"):
        insurer(f"보험-{number:03}", **params, **PAST)


def test_an_unknown_insured_is_rejected(insurer, policies):
    with pytest.raises(ApiError, match="40402"):
        insurer("보험-003", insu_num=policies[0]["insu_num"], insured_no="9")
