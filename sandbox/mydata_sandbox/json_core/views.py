"""The JSON of the core, one function for each API: names, nesting, numbers and dates of the insurer's own.

They take the values of the world, named as in the standard, and return the `data` of a response.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from relay.domain.korea import KOREA

Values = Mapping[str, Any]
STATES: Final = {"02": "ACTIVE", "04": "LAPSED", "05": "MATURED", "06": "CLOSED"}
COVERAGE_STATES: Final = {"1": "ACTIVE", "2": "MATURED", "4": "LAPSED"}
METHODS: Final = {"02": "TRANSFER", "04": "CARD"}
MODES: Final = {"01": "SINGLE", "02": "YEARS"}
CYCLE_MONTHS: Final = {"99": 0, "1M": 1, "3M": 3, "6M": 6, "1Y": 12}
LOAN_KINDS: Final = {"3400": "POLICY", "3220": "HOUSE"}
REPAYMENTS: Final = {"01": "BULLET", "02": "PRINCIPAL", "04": "ANNUITY"}


def build_number(value: Any) -> int | float:
    """Returns an amount as a JSON number."""
    number = Decimal(value)
    return int(number) if number == int(number) else float(number)


def _build_period(start: date, end: date) -> dict[str, str]:
    return {"from": f"{start:%Y-%m-%d}", "to": f"{end:%Y-%m-%d}"}


def _build_moment(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=KOREA)


def list_policies(rows: Sequence[Values]) -> list[dict[str, Any]]:
    """Returns the rows of the list of policies."""
    return [
        {
            "policyNo": row["insu_num"],
            "product": {"name": row["prod_name"], "kind": row["insu_type"]},
            "state": STATES[row["insu_status"]],
        }
        for row in rows
    ]


def get_policy(values: Values, number: str) -> dict[str, Any]:
    """Returns a contract and its insured persons."""
    pension = None
    if values["pension_rcv_start_date"] is not None or values["pension_rcv_cycle"] is not None:
        start, cycle = values["pension_rcv_start_date"], values["pension_rcv_cycle"]
        pension = {
            "startDate": None if start is None else f"{start:%Y-%m-%d}",
            "everyMonths": CYCLE_MONTHS.get(cycle),
        }
    policy = {
        "policyNo": number,
        "flags": {
            "renewable": values["is_renewable"],
            "variable": values["is_variable"],
            "universal": values["is_universal"],
            "loanable": values["is_loanable"],
        },
        "period": _build_period(values["issue_date"], values["exp_date"]),
        "sumInsured": {"amount": build_number(values["face_amt"]), "currency": values["currency_code"]},
        "pension": pension,
        "persons": [
            {"seq": int(row["insured_no"]), "maskedName": row["insured_name"], "main": row["is_primary"]}
            for row in values["insured_list"]
        ],
    }
    return {"policy": policy}


def list_riders(values: Values, number: str) -> dict[str, Any]:
    """Returns the riders of one insured person; without riders the list is absent."""
    rows = [
        {
            "riderName": row["contract_name"],
            "state": STATES[row["contract_status"]],
            "expiry": f"{row['contract_exp_date']:%Y-%m-%d}",
            "amount": build_number(row["contract_face_amt"]),
            "currency": row["currency_code"],
            "mandatory": row["is_required"],
        }
        for row in values["contract_list"]
    ]
    return {"policyNo": number} | ({"riders": rows} if rows else {})


def list_vehicles(values: Values, number: str) -> dict[str, Any]:
    """Returns the car of a policy and its cover."""
    rows = [
        {
            "plateNo": row["car_number"],
            "kind": row["car_insu_type"],
            "modelName": row["car_name"],
            "period": _build_period(row["start_date"], row["end_date"]),
            "drivers": {"age": row["contract_age"], "range": row["contract_driver"]},
            "ownDamage": {
                "covered": row["is_own_dmg_coverage"],
                "sharePercent": {"01": 20, "02": 30}[row["self_pay_rate"]],
                "minShare": row["self_pay_amt"],
            },
        }
        for row in values["car_insu_list"]
    ]
    return {"policyNo": number, "vehicles": rows}


def get_premium(values: Values, number: str) -> dict[str, Any]:
    """Returns how premiums are paid."""
    transfer = {"orgCode": values["pay_org_code"], "day": values["pay_date"]}
    return {
        "policyNo": number,
        "schedule": {
            "mode": MODES[values["pay_due"]],
            "everyMonths": CYCLE_MONTHS[values["pay_cycle"]],
            "times": values["pay_cnt"],
            "lastDate": f"{values['pay_end_date']:%Y-%m-%d}",
        },
        "transfer": transfer if any(transfer.values()) else None,
        "premium": {"amount": build_number(values["pay_amt"]), "currency": values["currency_code"]},
        "autoLoan": values["is_auto_pay"],
    }


def list_payments(rows: Sequence[Values]) -> list[dict[str, Any]]:
    """Returns the rows of premiums paid."""
    return [
        {
            "paidOn": f"{row['trans_date']:%Y-%m-%d}",
            "forMonth": f"{row['trans_applied_month'][:4]}-{row['trans_applied_month'][4:]}",
            "times": row["paid_in_cnt"],
            "money": {"amount": build_number(row["paid_amt"]), "currency": row["currency_code"]},
            "method": METHODS[row["pay_method"]],
        }
        for row in rows
    ]


def list_car_payments(rows: Sequence[Values]) -> list[dict[str, Any]]:
    """Returns the rows of premiums paid for a car."""
    return [
        {
            "paidAt": _build_moment(row["trans_dtime"]).isoformat(),
            "no": row["trans_no"],
            "premium": row["face_amt"],
            "times": row["paid_in_cnt"],
            "amount": row["paid_amt"],
            "method": METHODS[row["pay_method"]],
        }
        for row in rows
    ]


def list_coverages(values: Values, number: str) -> dict[str, Any]:
    """Returns the coverages of a policy."""
    rows = [
        {
            "code": row["coverage_code"],
            "name": row["coverage_name"],
            "serial": row["coverage_num"],
            "relation": row["relation"],
            "state": COVERAGE_STATES[row["status"]],
            "medical": row["type"],
            "amountInThousands": row["coverage_amt"],
            "period": _build_period(row["start_date"], row["end_date"]),
        }
        for row in values["coverage_list"]
    ]
    return {"policyNo": number, "coverages": rows}


def list_loans(rows: Sequence[Values]) -> list[dict[str, Any]]:
    """Returns the rows of the list of loans."""
    return [
        {"loanNo": row["account_num"], "product": row["prod_name"], "kind": LOAN_KINDS[row["account_type"]]}
        for row in rows
    ]


def get_loan(values: Values, number: str) -> dict[str, Any]:
    """Returns the contract of a loan."""
    policy = values["insu_num"]
    loan = {
        "loanNo": number,
        "period": _build_period(values["loan_start_date"], values["loan_exp_date"]),
        "repayment": REPAYMENTS[values["repay_method"]],
        "security": None if policy is None else {"policyNo": policy},
    }
    return {"loan": loan}


def get_balance(values: Values, number: str) -> dict[str, Any]:
    """Returns what is owed; the next date is in seconds since the epoch."""
    midnight = datetime.combine(values["next_repay_date"], time(), KOREA)
    return {
        "loanNo": number,
        "balance": build_number(values["balance_amt"]),
        "principal": build_number(values["loan_principal"]),
        "nextDue": int(midnight.timestamp()),
    }


def list_history(rows: Sequence[Values]) -> list[dict[str, Any]]:
    """Returns the rows of instalments; moments are in milliseconds since the epoch."""
    return [
        {
            "no": row["trans_no"],
            "at": int(_build_moment(row["trans_dtime"]).timestamp()) * 1000,
            "paid": {"principal": build_number(row["loan_paid_amt"]), "interest": build_number(row["int_paid_amt"])},
            "interests": [
                {
                    **_build_period(part["int_start_date"], part["int_end_date"]),
                    "rate": build_number(part["int_rate"]),
                    "kind": {"01": "NORMAL", "02": "OVERDUE"}[part["int_type"]],
                }
                for part in row["int_list"]
            ],
        }
        for row in rows
    ]
