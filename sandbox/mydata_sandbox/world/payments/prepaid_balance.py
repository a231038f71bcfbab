"""Prepaid balances: charged when low, spent, transferred, and reduced to `closing_balance` at the end of a month.

Each month starts from a known balance, so no earlier month needs to be computed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from mydata_sandbox.world.counterparties import Merchant, draw_digits, draw_purchase
from mydata_sandbox.world.days import DAY, add_months, get_month_end, iter_months
from mydata_sandbox.world.model import DataRequest
from mydata_sandbox.world.months import get_yesterday, to_datetime, to_month
from mydata_sandbox.world.seeds import CACHED_MONTHS, CustomerSeed, build_seed

TO_BANK: Final = "5201"
TO_FRIEND: Final = "5202"
FROM_FRIEND: Final = "5222"
REWARD: Final = "5301"
PAID: Final = "5501"
REFUNDED: Final = "5502"

APPROVED: Final = "01"
CANCELLED: Final = "02"
CORRECTED: Final = "03"

_OUTGOING: Final = frozenset({TO_BANK, TO_FRIEND, PAID})
_REWARD_DAY: Final = 5
_REWARD_PERCENT: Final = 1
_CHARGE_AHEAD: Final = timedelta(seconds=20)
_MEMOS: Final = ("점심값", "회비", "커피값", "선물비", "택시비 나눔")


@dataclass(frozen=True, slots=True)
class PrepaidBalance:
    """How a prepaid balance is used. `top_up_amount` is added (as `source`) whenever `min_balance` would be undercut.

    `subject` is the seed. `purchases` and `transfers` are counts a month.
    """

    subject: str
    opened: date
    merchants: tuple[Merchant, ...] = field(hash=False)
    purchases: tuple[int, int]
    transfers: int
    source: str
    min_balance: int
    top_up_amount: int
    closing_balance: int

    @property
    def first_month(self) -> date:
        """The first month with entries: the first whole one."""
        return add_months(to_month(self.opened), 1)


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase. It was cancelled or corrected to `price - refund` at `changed_at`."""

    number: str
    moment: datetime
    merchant: Merchant
    goods: str
    price: int
    status: str = APPROVED
    changed_at: datetime | None = None
    refund: int = 0

    def is_within(self, start: date, end: date) -> bool:
        """Returns whether it was made, cancelled or corrected from `start` to `end`."""
        moments = (self.moment, self.changed_at or self.moment)
        return any(start <= moment.date() <= end for moment in moments)

    @property
    def final_amount(self) -> int:
        """The final price."""
        return self.price - self.refund


@dataclass(frozen=True, slots=True)
class Entry:
    """A booked movement, and the `balance` (including points) and the `points` after it."""

    number: str
    moment: datetime
    kind: str
    amount: int
    balance: int
    points: int
    purchase: Purchase | None
    memo: str | None


@dataclass(frozen=True, slots=True)
class _Step:
    moment: datetime
    kind: str
    amount: int
    purchase: Purchase | None = None
    memo: str | None = None


def list_entries(request: DataRequest, prepaid: PrepaidBalance, start: date, end: date) -> list[Entry]:
    """Returns the entries from `start` to `end`, oldest first."""
    months = iter_months(max(start, prepaid.first_month), end)
    return [
        entry
        for month in months
        for entry in _build_entries(build_seed(request), prepaid, month)
        if start <= entry.moment.date() <= end
    ]


def list_purchases(request: DataRequest, prepaid: PrepaidBalance, start: date, end: date) -> list[Purchase]:
    """Returns the purchases made or changed from `start` to `end`, oldest first, as known yesterday."""
    until = get_yesterday(request)
    known_entries = [
        purchase if purchase.changed_at is None or purchase.changed_at.date() <= until else _drop_change(purchase)
        for month in iter_months(max(start, prepaid.first_month), end)
        for purchase in _list_month_purchases(build_seed(request), prepaid, month)
    ]
    return [purchase for purchase in known_entries if purchase.is_within(start, end)]


def get_last_balance(request: DataRequest, prepaid: PrepaidBalance) -> tuple[int, int]:
    """Returns yesterday's closing balance, and the points in it."""
    until = get_yesterday(request)
    known_entries = list_entries(request, prepaid, to_month(until), until)
    if known_entries:
        return known_entries[-1].balance, known_entries[-1].points
    return (prepaid.closing_balance if to_month(until) > prepaid.first_month else 0), 0


def compute_reward(seed: CustomerSeed, prepaid: PrepaidBalance, month: date, until: date) -> int:
    """Returns the points that the purchases of a month, up to `until`, earn for the next month."""
    if month < prepaid.first_month:
        return 0
    spent = sum(
        purchase.final_amount
        for purchase in _list_month_purchases(seed, prepaid, month)
        if purchase.moment.date() <= until
    )
    return spent * _REWARD_PERCENT // 100


def _drop_change(purchase: Purchase) -> Purchase:
    return Purchase(purchase.number, purchase.moment, purchase.merchant, purchase.goods, purchase.price)


@lru_cache(maxsize=CACHED_MONTHS)
def _build_entries(seed: CustomerSeed, prepaid: PrepaidBalance, month: date) -> tuple[Entry, ...]:
    money, points = (0 if month == prepaid.first_month else prepaid.closing_balance), 0
    entries: list[Entry] = []

    def add_entry(step: _Step, moment: datetime) -> None:
        number = f"{month:%Y%m}{len(entries) + 1:05d}"
        entries.append(Entry(number, moment, step.kind, step.amount, money + points, points, step.purchase, step.memo))

    for step in _list_steps(seed, prepaid, month):
        if step.kind == REWARD:
            points += step.amount
        elif step.kind not in _OUTGOING:
            money += step.amount
        else:
            from_points = min(points, step.amount) if step.kind == PAID else 0
            while money + from_points - step.amount < prepaid.min_balance:
                money += prepaid.top_up_amount
                charged_at = max(
                    step.moment - _CHARGE_AHEAD, entries[-1].moment if entries else step.moment - _CHARGE_AHEAD
                )
                add_entry(_Step(charged_at, prepaid.source, prepaid.top_up_amount), charged_at)
            money -= step.amount - from_points
            points -= from_points
        add_entry(step, step.moment)
    excess = money + points - prepaid.closing_balance
    if excess > 0:
        money -= excess
        add_entry(
            _Step(to_datetime(get_month_end(month), 23, 55), TO_BANK, excess), to_datetime(get_month_end(month), 23, 55)
        )
    return tuple(entries)


def _list_steps(seed: CustomerSeed, prepaid: PrepaidBalance, month: date) -> list[_Step]:
    return sorted(_draw_steps(seed, prepaid, month), key=lambda step: step.moment)


def _draw_steps(seed: CustomerSeed, prepaid: PrepaidBalance, month: date) -> Iterator[_Step]:
    last_month = add_months(month, -1)
    points = compute_reward(seed, prepaid, last_month, get_month_end(last_month))
    if points:
        yield _Step(to_datetime(month.replace(day=_REWARD_DAY), 4), REWARD, points)
    for purchase in _list_month_purchases(seed, prepaid, month):
        yield _Step(purchase.moment, PAID, purchase.price, purchase)
        if purchase.changed_at:
            yield _Step(purchase.changed_at, REFUNDED, purchase.refund, purchase)
    rng = seed.build_random("friends", prepaid.subject, month)
    for _ in range(prepaid.transfers):
        day = month.replace(day=rng.randrange(1, 29))
        kind, memo = rng.choice((TO_FRIEND, FROM_FRIEND)), rng.choice(_MEMOS)
        yield _Step(
            to_datetime(day, rng.randrange(9, 23), rng.randrange(60)), kind, rng.randrange(5, 41) * 1000, None, memo
        )


@lru_cache(maxsize=CACHED_MONTHS)
def _list_month_purchases(seed: CustomerSeed, prepaid: PrepaidBalance, month: date) -> tuple[Purchase, ...]:
    return tuple(sorted(_draw_purchases(seed, prepaid, month), key=lambda purchase: purchase.moment))


def _draw_purchases(seed: CustomerSeed, prepaid: PrepaidBalance, month: date) -> Iterator[Purchase]:
    rng = seed.build_random("deals", prepaid.subject, month)
    end = get_month_end(month)
    for _ in range(rng.randint(*prepaid.purchases)):
        merchant, moment, price = draw_purchase(rng, month.replace(day=rng.randint(1, end.day)), prepaid.merchants)
        number, goods, chance = draw_digits(rng, 8), rng.choice(merchant.goods), rng.random()
        changed_at = moment + rng.randint(1, 5) * DAY
        # No change falls into the next month: each month is independent.
        if chance < _CANCELS and changed_at.date() < end:
            yield Purchase(number, moment, merchant, goods, price, CANCELLED, changed_at, price)
        elif chance < _CORRECTS and changed_at.date() < end:
            yield Purchase(number, moment, merchant, goods, price, CORRECTED, changed_at, price // 4 // 10 * 10)
        else:
            yield Purchase(number, moment, merchant, goods, price)


_CANCELS: Final = 0.06
_CORRECTS: Final = 0.09
