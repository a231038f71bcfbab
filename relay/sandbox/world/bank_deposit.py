"""What happens in deposit accounts: pay and spending, foreign money, money put aside (은행-002..004)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any, Final

from relay.sandbox.world.bank_accounts import Purse, Term, Till, asked
from relay.sandbox.world.days import (
    DAY,
    at,
    month_end,
    month_later,
    months_between,
    months_passed,
    newest_first,
    term_of,
    window,
)
from relay.sandbox.world.model import Ask, Story, dice

MORNING, NOON, LATE, LAST_ORDER = 7 * 3600, 12 * 3600, 23 * 3600, 23 * 3600 + 1800
INTEREST_DAY: Final = 15
SMALLEST_SAVING: Final = 50_000
NEW, OUT, IN = "01", "02", "03"


@dataclass(frozen=True, slots=True)
class Move:
    """Money that comes (positive) or goes (negative), and what the passbook prints beside it."""

    when: datetime
    kind: str
    name: str
    amount: int
    memo: str
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A move as booked: its number in the book and the balance after it."""

    move: Move
    number: str
    balance: int
    till: Till | None = None

    def row(self) -> dict[str, Any]:
        """The entry as 은행-004 tells it."""
        unit = self.till.unit if self.till else 1
        return {
            "trans_dtime": self.move.when,
            "trans_no": self.number,
            "trans_type": self.move.kind,
            "trans_class": self.move.name,
            "currency_code": self.till.currency if self.till else "KRW",
            "trans_amt": Decimal(abs(self.move.amount)) / unit,
            "balance_amt": Decimal(self.balance) / unit,
            "paid_in_cnt": self.move.turn,
            "trans_memo": self.move.memo,
        }


def basics(ask: Ask) -> dict[str, Any]:
    """은행-002: how the account saves, since and until when; one row per currency."""
    account = asked(ask, Purse, Term)
    if isinstance(account, Purse):
        return {
            "basic_list": [
                {
                    "currency_code": till.currency,
                    "saving_method": "01",
                    "issue_date": account.opened,
                    "commit_amt": account.limit or None,
                }
                for till in account.tills
            ]
        }
    start, end = _running(account, ask.today)
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


def details(ask: Ask) -> dict[str, Any]:
    """은행-003: balances as of today; of a term account nothing can be drawn before its day."""
    account = asked(ask, Purse, Term)
    if isinstance(account, Purse):
        return {"detail_list": [_till_detail(ask, account, till) for till in account.tills]}
    last = term_entries(ask, account, ask.today, ask.today, whole=True)[-1]
    return {
        "detail_list": [
            {
                "currency_code": "KRW",
                "balance_amt": last.balance,
                "withdrawable_amt": 0,
                "offered_rate": account.rate,
                "last_paid_in_cnt": last.move.turn,
            }
        ]
    }


def transactions(ask: Ask) -> dict[str, Any]:
    """은행-004: what was booked in the days asked for."""
    account = asked(ask, Purse, Term)
    first, last = window(ask)
    if isinstance(account, Purse):
        booked = [entry for till in account.tills for entry in till_entries(ask, account, till, first, last)]
        booked.sort(key=lambda entry: entry.move.when)
    else:
        booked = term_entries(ask, account, first, last)
    return {"trans_list": newest_first(ask, (entry.row() for entry in booked))}


def purse_balance(ask: Ask, purse: Purse, till: Till) -> int:
    """What one till of a purse holds at the end of today, in its smallest unit."""
    booked = till_entries(ask, purse, till, ask.today, ask.today)
    return next(
        (entry.balance for entry in reversed(booked) if entry.move.when.date() <= ask.today),
        _opening(ask.customer.number, purse, till, ask.today.replace(day=1)),
    )


def _till_detail(ask: Ask, purse: Purse, till: Till) -> dict[str, Any]:
    balance = purse_balance(ask, purse, till)
    return {
        "currency_code": till.currency,
        "balance_amt": Decimal(balance) / till.unit,
        "withdrawable_amt": Decimal(balance + purse.limit) / till.unit,
        "offered_rate": purse.rate,
    }


def till_entries(ask: Ask, purse: Purse, till: Till, first: date, last: date) -> list[Entry]:
    """The book of one till for all months that `first` to `last` touches, oldest first."""
    months = months_between(max(first, purse.opened), last)
    return [entry for month in months for entry in _book(ask.customer.number, purse, till, month)]


@lru_cache(maxsize=512)
def _book(customer: int, purse: Purse, till: Till, month: date) -> tuple[Entry, ...]:
    balance = _opening(customer, purse, till, month)
    entries = []
    for index, move in enumerate(_month(customer, purse, till, month)):
        balance += move.amount
        entries.append(Entry(move, f"{month:%Y%m}{till.currency}{index:04}", balance, till))
    return tuple(entries)


def _opening(customer: int, purse: Purse, till: Till, month: date) -> int:
    """What a month begins with is told by its own dice, so no question has to walk through the years before it."""
    if month <= purse.opened.replace(day=1):
        return 0
    fate = dice("bank", customer, purse.number, till.currency, "opening", month)
    return fate.randrange(till.low, till.high, till.step)


def _month(customer: int, purse: Purse, till: Till, month: date) -> Iterator[Move]:
    """The moves of a month: from what it begins with to what the next begins with, never below the limit."""
    fate = dice("bank", customer, purse.number, till.currency, month)
    opening = balance = _opening(customer, purse, till, month)
    day, end = max(month, purse.opened), month_end(month)
    while day <= end:
        moves = [*_income(purse, till, opening, day), *(_spending(fate, till, day) if day > purse.opened else ())]
        for move in sorted(moves, key=lambda move: move.when):
            # Nobody spends what they have not: what would go below the limit is not bought.
            if move.amount > 0 or balance + move.amount >= -purse.limit:
                balance += move.amount
                yield move
        day += DAY
    rest = _opening(customer, purse, till, month_later(month, 1)) - balance
    if rest > 0:
        yield Move(at(end, LAST_ORDER), IN, "이체", rest, "저축에서 채움")
    elif rest < 0:
        yield Move(at(end, LAST_ORDER), OUT, "이체", rest, "저축으로 보냄")


def _spending(fate: Random, till: Till, day: date) -> Iterator[Move]:
    for habit in till.habits:
        for _ in range(fate.choice(habit.times)):
            when = at(day, fate.randrange(NOON, LATE))
            amount = fate.randrange(habit.least, habit.most, till.step)
            yield Move(when, OUT, habit.name, -amount, fate.choice(habit.places))


def _income(purse: Purse, till: Till, opening: int, day: date) -> Iterator[Move]:
    if day == purse.opened:
        yield Move(at(day, MORNING), NEW, "신규", max(till.high, SMALLEST_SAVING), "계좌개설")
    if day.day == till.payday and day > purse.opened:
        yield Move(at(day, MORNING + 60), IN, "급여", till.salary, "급여이체")
    if day.day == INTEREST_DAY and purse.limit and opening < 0:
        interest = int(-opening * purse.limit_rate / 1200)
        yield Move(at(day, MORNING + 120), OUT, "대출이자", -interest, "마이너스통장 이자")


def term_entries(ask: Ask, term: Term, first: date, last: date, *, whole: bool = False) -> list[Entry]:
    """The book of a term account up to `last`, from the term before the one of `first` on; `whole`: only the latter."""
    start, end = _running(term, first)
    if end and not whole:
        # The term before may have ended on the very day this one began.
        start = max(term.opened, month_later(start, -term.months))
    entries = []
    while start <= last:
        balance = 0
        for index, move in enumerate(_term(ask, term, start, last)):
            balance += move.amount
            entries.append(Entry(move, f"{start:%Y%m%d}{index:04}", balance))
        if not term.months:
            break
        start = month_later(start, term.months)
    return [entry for entry in entries if entry.move.when.date() <= last]


def _running(term: Term, day: date) -> tuple[date, date | None]:
    if not term.months:
        return term.opened, None
    return term_of(term.opened, term.months, day)


def _term(ask: Ask, term: Term, start: date, last: date) -> Iterator[Move]:
    """One term: paid in at once or monthly, and at its end paid out with interest."""
    turns = 1 if term.method == "02" else term.months or months_passed(start, last) + 1
    total, interest = 0, Decimal(0)
    for turn in range(turns):
        day = month_later(start, turn)
        amount = _paid_in(ask, term, day)
        kind, name = (NEW, "신규") if turn == 0 else (IN, "자동이체")
        yield Move(at(day, NOON), kind, name, amount, term.product, None if term.method == "02" else turn + 1)
        total += amount
        interest += amount * term.rate * (term.months - turn) / 1200
    if term.months:
        end = at(month_later(start, term.months), MORNING)
        yield Move(end, IN, "이자", int(interest), "만기이자")
        yield Move(end + timedelta(seconds=1), OUT, "해지", -total - int(interest), "만기해지")


def _paid_in(ask: Ask, term: Term, day: date) -> int:
    if term.method != "04":
        return term.amount
    return ask.dice(term.number, day).randrange(SMALLEST_SAVING, term.amount + 1, 10_000)


STORIES: Final[dict[str, Story]] = {"은행-002": basics, "은행-003": details, "은행-004": transactions}
