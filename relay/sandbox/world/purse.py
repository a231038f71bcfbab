"""A purse of prepaid money: charged when it runs low, spent, shared with friends, emptied when the month ends.

A month is told whole and begins with a known rest, so its balances add up without telling the years before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from relay.sandbox.world.days import DAY, month_end, month_later, months_between
from relay.sandbox.world.model import Ask
from relay.sandbox.world.months import clock, first, yesterday
from relay.sandbox.world.street import Shop, digits, shopping
from relay.sandbox.world.teller import MONTHS_KEPT, Teller, teller

TO_BANK: Final = "5201"
TO_FRIEND: Final = "5202"
FROM_FRIEND: Final = "5222"
REWARD: Final = "5301"
PAID: Final = "5501"
PAID_BACK: Final = "5502"

APPROVED: Final = "01"
CANCELLED: Final = "02"
CORRECTED: Final = "03"

_OUTGOING: Final = frozenset({TO_BANK, TO_FRIEND, PAID})
_REWARD_DAY: Final = 5
_REWARD_PERCENT: Final = 1
_CHARGE_AHEAD: Final = timedelta(seconds=20)
_MEMOS: Final = ("점심값", "회비", "커피값", "선물비", "택시비 나눔")


@dataclass(frozen=True, slots=True)
class Purse:
    """How a purse is used. Nothing may leave less than `floor` in it: `unit` is charged (as `source`) until it fits.

    `subject` seeds it; `rest` is what the month's end leaves; `purchases` and `friends` say how many a month.
    """

    subject: str
    opened: date
    shops: tuple[Shop, ...] = field(hash=False)
    purchases: tuple[int, int]
    friends: int
    source: str
    floor: int
    unit: int
    rest: int

    @property
    def begins(self) -> date:
        """The first month told: the first whole one."""
        return month_later(first(self.opened), 1)


@dataclass(frozen=True, slots=True)
class Deal:
    """A purchase; `changed` is when it was cancelled or corrected, to `price - back`."""

    number: str
    at: datetime
    shop: Shop
    goods: str
    price: int
    status: str = APPROVED
    changed: datetime | None = None
    back: int = 0

    def touches(self, start: date, end: date) -> bool:
        """Whether it was made, cancelled or corrected between two days."""
        moments = (self.at, self.changed or self.at)
        return any(start <= moment.date() <= end for moment in moments)

    @property
    def cost(self) -> int:
        """What it cost in the end."""
        return self.price - self.back


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the purse's book: what moved, and the money (`balance`, points told in it) and the `points` after."""

    number: str
    at: datetime
    kind: str
    amount: int
    balance: int
    points: int
    deal: Deal | None
    memo: str | None


@dataclass(frozen=True, slots=True)
class _Step:
    at: datetime
    kind: str
    amount: int
    deal: Deal | None = None
    memo: str | None = None


def entries(ask: Ask, purse: Purse, start: date, end: date) -> list[Entry]:
    """The book from `start` to `end`, oldest first."""
    months = months_between(max(start, purse.begins), end)
    return [entry for month in months for entry in _book(teller(ask), purse, month) if start <= entry.at.date() <= end]


def deals(ask: Ask, purse: Purse, start: date, end: date) -> list[Deal]:
    """The purchases made or changed from `start` to `end`, oldest first, as they were known last night."""
    until = yesterday(ask)
    known = [
        deal if deal.changed is None or deal.changed.date() <= until else _unchanged(deal)
        for month in months_between(max(start, purse.begins), end)
        for deal in _deals(teller(ask), purse, month)
    ]
    return [deal for deal in known if deal.touches(start, end)]


def standing(ask: Ask, purse: Purse) -> tuple[int, int]:
    """The money in the purse last night, and how much of it is points."""
    until = yesterday(ask)
    known = entries(ask, purse, first(until), until)
    if known:
        return known[-1].balance, known[-1].points
    return (purse.rest if first(until) > purse.begins else 0), 0


def reward(told_by: Teller, purse: Purse, month: date, until: date) -> int:
    """The points that what was spent in a month, up to a day, brings in the next."""
    if month < purse.begins:
        return 0
    spent = sum(deal.cost for deal in _deals(told_by, purse, month) if deal.at.date() <= until)
    return spent * _REWARD_PERCENT // 100


def _unchanged(deal: Deal) -> Deal:
    return Deal(deal.number, deal.at, deal.shop, deal.goods, deal.price)


@lru_cache(maxsize=MONTHS_KEPT)
def _book(told_by: Teller, purse: Purse, month: date) -> tuple[Entry, ...]:
    money, points = (0 if month == purse.begins else purse.rest), 0
    book: list[Entry] = []

    def write(step: _Step, at: datetime) -> None:
        number = f"{month:%Y%m}{len(book) + 1:05d}"
        book.append(Entry(number, at, step.kind, step.amount, money + points, points, step.deal, step.memo))

    for step in _steps(told_by, purse, month):
        if step.kind == REWARD:
            points += step.amount
        elif step.kind not in _OUTGOING:
            money += step.amount
        else:
            from_points = min(points, step.amount) if step.kind == PAID else 0
            while money + from_points - step.amount < purse.floor:
                money += purse.unit
                ahead = max(step.at - _CHARGE_AHEAD, book[-1].at if book else step.at - _CHARGE_AHEAD)
                write(_Step(ahead, purse.source, purse.unit), ahead)
            money -= step.amount - from_points
            points -= from_points
        write(step, step.at)
    over = money + points - purse.rest
    if over > 0:
        money -= over
        write(_Step(clock(month_end(month), 23, 55), TO_BANK, over), clock(month_end(month), 23, 55))
    return tuple(book)


def _steps(told_by: Teller, purse: Purse, month: date) -> list[_Step]:
    return sorted(_unsorted_steps(told_by, purse, month), key=lambda step: step.at)


def _unsorted_steps(told_by: Teller, purse: Purse, month: date) -> Iterator[_Step]:
    before = month_later(month, -1)
    points = reward(told_by, purse, before, month_end(before))
    if points:
        yield _Step(clock(month.replace(day=_REWARD_DAY), 4), REWARD, points)
    for deal in _deals(told_by, purse, month):
        yield _Step(deal.at, PAID, deal.price, deal)
        if deal.changed:
            yield _Step(deal.changed, PAID_BACK, deal.back, deal)
    dice = told_by.dice("friends", purse.subject, month)
    for _ in range(purse.friends):
        day = month.replace(day=dice.randrange(1, 29))
        kind, memo = dice.choice((TO_FRIEND, FROM_FRIEND)), dice.choice(_MEMOS)
        yield _Step(
            clock(day, dice.randrange(9, 23), dice.randrange(60)), kind, dice.randrange(5, 41) * 1000, None, memo
        )


@lru_cache(maxsize=MONTHS_KEPT)
def _deals(told_by: Teller, purse: Purse, month: date) -> tuple[Deal, ...]:
    return tuple(sorted(_unsorted_deals(told_by, purse, month), key=lambda deal: deal.at))


def _unsorted_deals(told_by: Teller, purse: Purse, month: date) -> Iterator[Deal]:
    dice = told_by.dice("deals", purse.subject, month)
    end = month_end(month)
    for _ in range(dice.randint(*purse.purchases)):
        shop, at, price = shopping(dice, month.replace(day=dice.randint(1, end.day)), purse.shops)
        number, goods, fate = digits(dice, 8), dice.choice(shop.goods), dice.random()
        changed = at + dice.randint(1, 5) * DAY
        # What would change only next month is left alone: each month's book closes by itself.
        if fate < _CANCELS and changed.date() < end:
            yield Deal(number, at, shop, goods, price, CANCELLED, changed, price)
        elif fate < _CORRECTS and changed.date() < end:
            yield Deal(number, at, shop, goods, price, CORRECTED, changed, price // 4 // 10 * 10)
        else:
            yield Deal(number, at, shop, goods, price)


_CANCELS: Final = 0.06
_CORRECTS: Final = 0.09
