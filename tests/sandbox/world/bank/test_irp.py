"""Retirement pensions at banks, brokers and insurers."""

from decimal import Decimal

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

PAST = {"from_date": "20150101", "to_date": "20261120"}


@pytest.fixture(params=[(company, customer) for company in ("bank", "invest", "insu") for customer in CUSTOMERS])
def company(request, build_client):
    industry, customer = request.param
    return build_client(industry, customer)


@pytest.fixture
def plans(company) -> list[str]:
    return [row["account_num"] for row in company("IRP-001")["irp_list"]]


def test_every_institution_has_a_plan(plans):
    assert plans


def test_products_add_up_to_the_plan(company, plans):
    for number in plans:
        basic = company("IRP-002", account_num=number)
        rows = company.fetch_pages("IRP-003", "irp_list", account_num=number)
        assert sum(Decimal(row["inv_principal"]) for row in rows) == Decimal(basic["accum_amt"])
        assert sum(Decimal(row["eval_amt"]) for row in rows) == Decimal(basic["eval_amt"])
        assert basic["issue_date"] < basic["rcv_start_date"]


def test_contributions_add_up_to_the_plan(company, plans):
    for number in plans:
        basic = company("IRP-002", account_num=number)
        rows = company.call_handler("IRP-004", account_num=number, **PAST)["trans_list"]
        paid_in = sum(row["trans_amt"] for row in rows if row["trans_type"] == "01")
        fees = sum(row["trans_amt"] for row in rows if row["trans_type"] == "02")
        assert paid_in == Decimal(basic["employer_amt"]) + Decimal(basic["employee_amt"])
        assert paid_in - fees == Decimal(basic["accum_amt"])


def test_deposits_have_rates_and_ends_and_funds_have_units(company, plans):
    for number in plans:
        for row in company.fetch_pages("IRP-003", "irp_list", account_num=number):
            guaranteed = row["irp_type"] == "01"
            assert ("int_rate" in row, "exp_date" in row, "fund_num" in row) == (guaranteed, guaranteed, not guaranteed)
            if guaranteed:
                assert row["open_date"] <= "20261120" < row["exp_date"]


def test_products_are_listed_latest_first(company, plans):
    for number in plans:
        opened = [row.get("open_date", "") for row in company.fetch_pages("IRP-003", "irp_list", account_num=number)]
        assert opened == sorted(opened, reverse=True)


def test_periods_agree_and_pages_hold_every_row(company, plans):
    for number in plans:
        whole = company.call_handler("IRP-004", account_num=number, **PAST)["trans_list"]
        part = company.call_handler("IRP-004", account_num=number, from_date="20250101", to_date="20250301")[
            "trans_list"
        ]
        assert part == [row for row in whole if "2025-01-01" <= str(row["trans_dtime"].date()) <= "2025-03-01"]
        assert len(company.fetch_pages("IRP-004", "trans_list", account_num=number, **PAST)) == len(whole)


def test_a_customer_holds_more_than_one_page(build_client):
    company = build_client("bank", CUSTOMERS[2])
    number = company("IRP-001")["irp_list"][0]["account_num"]
    assert "next_page" in company("IRP-003", account_num=number, limit="500")


@pytest.mark.parametrize("api_id", ["IRP-002", "IRP-003", "IRP-004"])
def test_an_unknown_plan_is_rejected(company, api_id):
    with pytest.raises(ApiError, match="40402"):
        company(api_id, account_num="1", limit="20", **PAST)
