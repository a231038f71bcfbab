from datetime import date, datetime
from decimal import Decimal

from mydata_sandbox.json_core import views


def test_amounts_are_json_numbers():
    assert [views.build_number(value) for value in (5, Decimal("5.000"), Decimal("5.350"))] == [5, 5, 5.35]


def test_dates_have_the_forms_of_the_insurer():
    values = {"balance_amt": 1, "loan_principal": 2, "next_repay_date": date(2026, 12, 18)}
    assert views.get_balance(values, "1")["nextDue"] == 1797519600
    row = {"trans_dtime": datetime(2026, 1, 31, 10, 0), "trans_no": "1", "face_amt": 1, "paid_in_cnt": 1}  # noqa: DTZ001
    (payment,) = views.list_car_payments([row | {"paid_amt": 1, "pay_method": "02"}])
    assert payment["paidAt"] == "2026-01-31T10:00:00+09:00"


def test_riders_are_absent_without_rows():
    assert views.list_riders({"contract_list": []}, "L1") == {"policyNo": "L1"}
