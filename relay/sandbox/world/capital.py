"""Instalment finance (할부금융, 규격 4.2.7): a car on credit, a loan on a name, and an operating lease."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from relay.sandbox.world.days import DAY, term_of
from relay.sandbox.world.model import Absent, Ask, Story
from relay.sandbox.world.months import clock, day_window, yesterday
from relay.sandbox.world.owned import the_one
from relay.sandbox.world.schedule import BULLET, LEVEL_PAYMENT, Loan, Part, at_night, coming, paid
from relay.sandbox.world.street import digits, own_account

_ON_A_NAME: Final = "3100"
_NEW_CAR: Final = "3500"
_LEASE: Final = "3710"
_LENT: Final = "01"
_PAID_BACK: Final = "02"
_IN_TIME: Final = "01"
_LATE: Final = "02"
_ACTIVE: Final = "01"
_OTHERWISE: Final = "09"
_LATE_EXTRA: Final = Decimal(3)
_LATE_ONE_IN: Final = 9


@dataclass(frozen=True, slots=True)
class Product:
    """What the house offers: `months` of term, paid on `day`, amounts in units of `unit`, rates in tenths."""

    name: str
    kind: str
    months: int
    day: int
    unit: int
    amounts: tuple[int, int]
    rates: tuple[int, int]
    method: str


PRODUCTS: Final = (
    Product("도담캐피탈 새차 할부", _NEW_CAR, 60, 25, 500_000, (30, 80), (39, 72), LEVEL_PAYMENT),
    Product("도담캐피탈 직장인 신용대출", _ON_A_NAME, 36, 11, 1_000_000, (3, 30), (79, 149), BULLET),
    Product("도담캐피탈 오토리스 48", _LEASE, 48, 15, 10_000, (38, 115), (0, 1), _OTHERWISE),
)


@dataclass(frozen=True, slots=True)
class Account:
    """A customer's contract; of a lease `loan.principal` is what is paid each month."""

    account_num: str
    product: Product
    loan: Loan

    @property
    def leased(self) -> bool:
        """An operating lease: 005 and 006 tell it, and 002 to 004 do not."""
        return self.product.kind == _LEASE


def accounts(ask: Ask) -> tuple[Account, ...]:
    """The customer's contracts of today."""
    return tuple(_account(ask, product) for product in PRODUCTS)


def _account(ask: Ask, product: Product) -> Account:
    dice = ask.dice("capital", product.kind)
    issued, _ = term_of(date(2018, dice.randrange(1, 13), product.day), product.months, ask.today)
    number = f"{product.kind}{issued:%y%m}{digits(dice, 6)}"
    amount = dice.randrange(*product.amounts) * product.unit
    rate = Decimal(dice.randrange(*product.rates)) / 10
    return Account(number, product, Loan(issued, product.months, amount, rate, product.method))


def _asked(ask: Ask, *, leased: bool) -> Account:
    account = the_one(accounts(ask), lambda account: account.account_num == ask.params.get("account_num"))
    if account.leased != leased:
        raise Absent(403, "40301", "계좌구분에 맞지 않는 API 호출")
    return account


def _list(ask: Ask) -> dict[str, Any]:
    rows = [
        {
            "account_num": account.account_num,
            "is_consent": True,
            "prod_name": account.product.name,
            "account_type": account.product.kind,
            "account_status": _ACTIVE,
        }
        for account in accounts(ask)
    ]
    return {"reg_date": ask.customer.since, "account_list": rows}


def _terms(ask: Ask, account: Account) -> dict[str, Any]:
    bank, number = own_account(ask)
    return {
        "issue_date": account.loan.issued,
        "exp_date": account.loan.expires,
        "repay_date": f"{account.product.day:02d}",
        "repay_method": account.loan.method,
        "repay_org_code": bank,
        "repay_account_num": number,
    }


def _basic(ask: Ask) -> dict[str, Any]:
    account = _asked(ask, leased=False)
    return {**_terms(ask, account), "last_offered_rate": account.loan.rate}


def _detail(ask: Ask) -> dict[str, Any]:
    account = _asked(ask, leased=False)
    loan = account.loan
    settled = _settled(ask, account)
    return {
        "balance_amt": settled[-1][0].balance if settled else loan.principal,
        "loan_principal": loan.principal,
        "next_repay_date": coming(loan, yesterday(ask)).due,
    }


def _transactions(ask: Ask) -> dict[str, Any]:
    account = _asked(ask, leased=False)
    start, end = day_window(ask)
    rows = [_lending(account), *(_repayment(ask, account, part, days) for part, days in _settled(ask, account))]
    return {"trans_list": [row for row in rows if start <= row["trans_dtime"].date() <= end][::-1]}


def _settled(ask: Ask, account: Account) -> list[tuple[Part, int]]:
    """The parts paid by yesterday and how many days late: most on their day, some when the money was there."""
    found = []
    for part in paid(account.loan, yesterday(ask)):
        dice = ask.dice("delay", account.account_num, part.number)
        days = dice.randrange(1, 6) if dice.randrange(_LATE_ONE_IN) == 0 else 0
        if part.due + days * DAY <= yesterday(ask):
            found.append((part, days))
    return found


def _lending(account: Account) -> dict[str, Any]:
    loan = account.loan
    return {
        "trans_dtime": clock(loan.issued, 10, 30),
        "trans_no": f"{account.account_num}000",
        "trans_type": _LENT,
        "trans_amt": loan.principal,
        "balance_amt": loan.principal,
        "principal_amt": loan.principal,
        "int_amt": 0,
        "int_list": [],
    }


def _repayment(ask: Ask, account: Account, part: Part, days: int) -> dict[str, Any]:
    dice = ask.dice("repayment", account.account_num, part.number)
    interests = [_interest(part, account.loan.rate)]
    if days:
        interests.append(_delay(part, account.loan.rate + _LATE_EXTRA, days))
    interest = sum(row["applied_int_amt"] for row in interests)
    return {
        "trans_dtime": at_night(dice, part.due + days * DAY),
        "trans_no": f"{account.account_num}{part.number:03d}",
        "trans_type": _PAID_BACK,
        "trans_amt": part.principal + interest,
        "balance_amt": part.balance,
        "principal_amt": part.principal,
        "int_amt": interest,
        "int_list": interests,
    }


def _interest(part: Part, rate: Decimal) -> dict[str, Any]:
    return {
        "int_start_date": part.since,
        "int_end_date": part.due - DAY,
        "int_rate": rate,
        "applied_int_amt": part.interest,
        "int_type": _IN_TIME,
    }


def _delay(part: Part, rate: Decimal, days: int) -> dict[str, Any]:
    return {
        "int_start_date": part.due,
        "int_end_date": part.due + (days - 1) * DAY,
        "int_rate": rate,
        "applied_int_amt": int(part.amount * rate * days / 36500),
        "int_type": _LATE,
    }


def _lease_basic(ask: Ask) -> dict[str, Any]:
    account = _asked(ask, leased=True)
    return {**_terms(ask, account), "next_repay_date": coming(account.loan, yesterday(ask)).due}


def _lease_transactions(ask: Ask) -> dict[str, Any]:
    account = _asked(ask, leased=True)
    start, end = day_window(ask)
    rows = [_rent(ask, account, part) for part in paid(account.loan, end) if part.due >= start]
    return {"trans_list": rows[::-1]}


def _rent(ask: Ask, account: Account, part: Part) -> dict[str, Any]:
    return {
        "trans_dtime": at_night(ask.dice("rent", account.account_num, part.number), part.due),
        "trans_no": f"{account.account_num}{part.number:03d}",
        "trans_type": _PAID_BACK,
        "trans_amt": account.loan.principal,
    }


STORIES: Final[dict[str, Story]] = {
    "할부금융-001": _list,
    "할부금융-002": _basic,
    "할부금융-003": _detail,
    "할부금융-004": _transactions,
    "할부금융-005": _lease_basic,
    "할부금융-006": _lease_transactions,
}
