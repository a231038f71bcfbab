"""Deposit accounts: salary, spending, foreign currencies and savings (은행-002..004)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any, Final

from mydata_sandbox.world.bank.bank_accounts import CurrencyAccount, DemandDeposit, TermDeposit, find_account
from mydata_sandbox.world.days import (
    DAY,
    add_months,
    add_seconds,
    count_months,
    find_term,
    get_month_end,
    iter_months,
    parse_window,
    select_newest_first,
)
from mydata_sandbox.world.model import DataHandler, DataRequest, build_random

MORNING, NOON, EVENING, END_OF_DAY = 7 * 3600, 12 * 3600, 23 * 3600, 23 * 3600 + 1800
INTEREST_DAY: Final = 15
SMALLEST_SAVING: Final = 50_000
NEW, OUT, IN = "01", "02", "03"


@dataclass(frozen=True, slots=True)
class Movement:
    """A credit (positive) or debit (negative), with the memo of the passbook."""

    moment: datetime
    kind: str
    name: str
    amount: int
    memo: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A booked movement: its transaction number and the balance after it."""

    movement: Movement
    number: str
    balance: int
    sub_account: CurrencyAccount | None = None

    def to_row(self) -> dict[str, Any]:
        """Returns the entry as a row of 은행-004."""
        unit = self.sub_account.unit if self.sub_account else 1
        return {
            "trans_dtime": self.movement.moment,
            "trans_no": self.number,
            "trans_type": self.movement.kind,
            "trans_class": self.movement.name,
            "currency_code": self.sub_account.currency if self.sub_account else "KRW",
            "trans_amt": Decimal(abs(self.movement.amount)) / unit,
            "balance_amt": Decimal(self.balance) / unit,
            "paid_in_cnt": self.movement.number,
            "trans_memo": self.movement.memo,
        }


def get_basics(request: DataRequest) -> dict[str, Any]:
    """Returns 은행-002: saving method, issue and expiry dates; one row per currency."""
    account = find_account(request, DemandDeposit, TermDeposit)
    if isinstance(account, DemandDeposit):
        return {
            "basic_list": [
                {
                    "currency_code": sub_account.currency,
                    "saving_method": "01",
                    "issue_date": account.opened,
                    "commit_amt": account.limit or None,
                }
                for sub_account in account.sub_accounts
            ]
        }
    start, end = _find_running_term(account, request.today)
    monthly = account.amount if account.method == "03" else None
    agreed = account.amount * account.months if monthly else account.amount
    return {
        "basic_list": [
            {
                "currency_code": "KRW",
                "saving_method": account.method,
                "issue_date": start,
                "exp_date": end,
                "commit_amt": agreed if end and account.method != "04" else None,
                "monthly_paid_in_amt": monthly,
            }
        ]
    }


def get_details(request: DataRequest) -> dict[str, Any]:
    """Returns 은행-003: today's balances. Nothing can be withdrawn from a term deposit before it matures."""
    account = find_account(request, DemandDeposit, TermDeposit)
    if isinstance(account, DemandDeposit):
        return {"detail_list": [_build_detail(request, account, sub_account) for sub_account in account.sub_accounts]}
    last = list_term_entries(request, account, request.today, request.today, running_only=True)[-1]
    return {
        "detail_list": [
            {
                "currency_code": "KRW",
                "balance_amt": last.balance,
                "withdrawable_amt": 0,
                "offered_rate": account.rate,
                "last_paid_in_cnt": last.movement.number,
            }
        ]
    }


def list_transactions(request: DataRequest) -> dict[str, Any]:
    """Returns 은행-004: the entries of the requested period."""
    account = find_account(request, DemandDeposit, TermDeposit)
    first, last = parse_window(request)
    if isinstance(account, DemandDeposit):
        entries = [
            entry
            for sub_account in account.sub_accounts
            for entry in list_entries(request, account, sub_account, first, last)
        ]
        entries.sort(key=lambda entry: entry.movement.moment)
    else:
        entries = list_term_entries(request, account, first, last)
    return {"trans_list": select_newest_first(request, (entry.to_row() for entry in entries))}


def get_sub_account_balance(request: DataRequest, deposit: DemandDeposit, sub_account: CurrencyAccount) -> int:
    """Returns the balance of a sub-account at the end of today, in the smallest unit of its currency."""
    entries = list_entries(request, deposit, sub_account, request.today, request.today)
    return next(
        (entry.balance for entry in reversed(entries) if entry.movement.moment.date() <= request.today),
        _draw_opening_balance(request.customer.number, deposit, sub_account, request.today.replace(day=1)),
    )


def _build_detail(request: DataRequest, deposit: DemandDeposit, sub_account: CurrencyAccount) -> dict[str, Any]:
    balance = get_sub_account_balance(request, deposit, sub_account)
    return {
        "currency_code": sub_account.currency,
        "balance_amt": Decimal(balance) / sub_account.unit,
        "withdrawable_amt": Decimal(balance + deposit.limit) / sub_account.unit,
        "offered_rate": deposit.rate,
    }


def list_entries(
    request: DataRequest, deposit: DemandDeposit, sub_account: CurrencyAccount, first: date, last: date
) -> list[Entry]:
    """Returns the entries of a sub-account for each month from `first` to `last`, oldest first."""
    months = iter_months(max(first, deposit.opened), last)
    return [entry for month in months for entry in _build_entries(request.customer.number, deposit, sub_account, month)]


@lru_cache(maxsize=512)
def _build_entries(
    customer: int, deposit: DemandDeposit, sub_account: CurrencyAccount, month: date
) -> tuple[Entry, ...]:
    balance = _draw_opening_balance(customer, deposit, sub_account, month)
    entries = []
    for index, movement in enumerate(_draw_movements(customer, deposit, sub_account, month)):
        balance += movement.amount
        entries.append(Entry(movement, f"{month:%Y%m}{sub_account.currency}{index:04}", balance, sub_account))
    return tuple(entries)


def _draw_opening_balance(customer: int, deposit: DemandDeposit, sub_account: CurrencyAccount, month: date) -> int:
    """Returns the opening balance of a month. It has its own seed, so earlier months need not be computed."""
    if month <= deposit.opened.replace(day=1):
        return 0
    rng = build_random("bank", customer, deposit.number, sub_account.currency, "opening", month)
    return rng.randrange(sub_account.low, sub_account.high, sub_account.step)


def _draw_movements(
    customer: int, deposit: DemandDeposit, sub_account: CurrencyAccount, month: date
) -> Iterator[Movement]:
    """Yields the movements from a month's opening balance to the next month's, never below the limit."""
    rng = build_random("bank", customer, deposit.number, sub_account.currency, month)
    opening = balance = _draw_opening_balance(customer, deposit, sub_account, month)
    day, end = max(month, deposit.opened), get_month_end(month)
    while day <= end:
        movements = [
            *_build_income(deposit, sub_account, opening, day),
            *(_draw_spending(rng, sub_account, day) if day > deposit.opened else ()),
        ]
        for movement in sorted(movements, key=lambda movement: movement.moment):
            # Skip a debit that would take the balance below the limit.
            if movement.amount > 0 or balance + movement.amount >= -deposit.limit:
                balance += movement.amount
                yield movement
        day += DAY
    difference = _draw_opening_balance(customer, deposit, sub_account, add_months(month, 1)) - balance
    if difference > 0:
        yield Movement(add_seconds(end, END_OF_DAY), IN, "이체", difference, "저축에서 채움")
    elif difference < 0:
        yield Movement(add_seconds(end, END_OF_DAY), OUT, "이체", difference, "저축으로 보냄")


def _draw_spending(rng: Random, sub_account: CurrencyAccount, day: date) -> Iterator[Movement]:
    for pattern in sub_account.spending:
        for _ in range(rng.choice(pattern.daily_counts)):
            moment = add_seconds(day, rng.randrange(NOON, EVENING))
            amount = rng.randrange(pattern.min_amount, pattern.max_amount, sub_account.step)
            yield Movement(moment, OUT, pattern.name, -amount, rng.choice(pattern.payees))


def _build_income(deposit: DemandDeposit, sub_account: CurrencyAccount, opening: int, day: date) -> Iterator[Movement]:
    if day == deposit.opened:
        yield Movement(add_seconds(day, MORNING), NEW, "신규", max(sub_account.high, SMALLEST_SAVING), "계좌개설")
    if day.day == sub_account.payday and day > deposit.opened:
        yield Movement(add_seconds(day, MORNING + 60), IN, "급여", sub_account.salary, "급여이체")
    if day.day == INTEREST_DAY and deposit.limit and opening < 0:
        interest = int(-opening * deposit.limit_rate / 1200)
        yield Movement(add_seconds(day, MORNING + 120), OUT, "대출이자", -interest, "마이너스통장 이자")


def list_term_entries(
    request: DataRequest, term: TermDeposit, first: date, last: date, *, running_only: bool = False
) -> list[Entry]:
    """Returns the entries up to `last`, from the term before that of `first`; `running_only`: from that of `first`."""
    start, end = _find_running_term(term, first)
    if end and not running_only:
        # The previous term may have ended on the day this one began.
        start = max(term.opened, add_months(start, -term.months))
    entries = []
    while start <= last:
        balance = 0
        for index, movement in enumerate(_build_term(request, term, start, last)):
            balance += movement.amount
            entries.append(Entry(movement, f"{start:%Y%m%d}{index:04}", balance))
        if not term.months:
            break
        start = add_months(start, term.months)
    return [entry for entry in entries if entry.movement.moment.date() <= last]


def _find_running_term(term: TermDeposit, day: date) -> tuple[date, date | None]:
    if not term.months:
        return term.opened, None
    return find_term(term.opened, term.months, day)


def _build_term(request: DataRequest, term: TermDeposit, start: date, last: date) -> Iterator[Movement]:
    """Yields the movements of a term: paid in at once or monthly, and paid out with interest at its end."""
    payments = 1 if term.method == "02" else term.months or count_months(start, last) + 1
    total, interest = 0, Decimal(0)
    for number in range(payments):
        day = add_months(start, number)
        amount = _draw_amount(request, term, day)
        kind, name = (NEW, "신규") if number == 0 else (IN, "자동이체")
        yield Movement(
            add_seconds(day, NOON), kind, name, amount, term.product, None if term.method == "02" else number + 1
        )
        total += amount
        interest += amount * term.rate * (term.months - number) / 1200
    if term.months:
        end = add_seconds(add_months(start, term.months), MORNING)
        yield Movement(end, IN, "이자", int(interest), "만기이자")
        yield Movement(end + timedelta(seconds=1), OUT, "해지", -total - int(interest), "만기해지")


def _draw_amount(request: DataRequest, term: TermDeposit, day: date) -> int:
    if term.method != "04":
        return term.amount
    return request.build_random(term.number, day).randrange(SMALLEST_SAVING, term.amount + 1, 10_000)


DATA_HANDLERS: Final[dict[str, DataHandler]] = {
    "은행-002": get_basics,
    "은행-003": get_details,
    "은행-004": list_transactions,
}
