"""How an account at the broker lives: money brought, papers bought and sold month by month, money taken home."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from random import Random
from typing import Final

from relay.sandbox.world.days import DAY, at, month_end, months_between
from relay.sandbox.world.invest_accounts import Account, Paper, Purse
from relay.sandbox.world.market import price_on
from relay.sandbox.world.model import Ask, dice

DEPOSIT, WITHDRAWAL, BUY, SELL = "301", "302", "341", "342"
DETAILS: Final = {DEPOSIT: "이체입금", WITHDRAWAL: "이체출금", BUY: "매수", SELL: "매도"}
FEE: Final = Decimal("0.00015")
TAX: Final = Decimal("0.0018")
SELLING_DAYS, BUYING_DAYS = (2, 12), (15, 26)
"""Days of the month; two days lie between, so that a sale put off to Monday still comes before what it pays for."""
SATURDAY: Final = 5
OPEN, CLOSE, BROUGHT_AT, TAKEN_AT = 9 * 3600, 15 * 3600 + 1800, 8 * 3600, 16 * 3600


@dataclass(frozen=True, slots=True)
class Trade:
    """One line of the book: what moved, for how much, what was settled after fee and tax, what cash was left."""

    when: datetime
    number: str
    kind: str
    currency: str
    amount: Decimal
    settled: Decimal
    balance: Decimal
    paper: Paper | None = None
    quantity: int = 0
    price: Decimal | None = None


@dataclass(slots=True)
class Holding:
    """How much of a paper is held, and what it cost."""

    quantity: int = 0
    cost: Decimal = Decimal(0)

    def trade(self, trade: Trade) -> None:
        """Take one trade in: buying adds its amount, selling takes the like share of the cost away."""
        if trade.kind == BUY:
            self.quantity += trade.quantity
            self.cost += trade.amount
            return
        self.cost -= self.cost * trade.quantity / self.quantity
        self.quantity -= trade.quantity


@dataclass(slots=True)
class _Life:
    """One purse being lived through, month by month."""

    account: Account
    purse: Purse
    fate: Random
    cash: Decimal = Decimal(0)
    held: dict[Paper, int] = field(default_factory=dict)
    lines: list[Trade] = field(default_factory=list)

    @property
    def unit(self) -> Decimal:
        """The smallest amount the currency knows."""
        return Decimal("0.01") if self.purse.currency == "USD" else Decimal(1)

    def month(self, month: date) -> None:
        """Money first, then what is sold, then what is bought, then what is left over is taken home."""
        newcomer = not self.lines
        start = self.account.opened if newcomer else month
        self._cash(at(start, BROUGHT_AT), DEPOSIT, self.purse.first if newcomer else self.purse.monthly)
        if not newcomer:
            for day, paper in self._days(SELLING_DAYS, start, self.purse.sells):
                self._sell(day, paper)
        chosen = len(self.purse.papers) if newcomer else self.purse.buys
        budget = self.cash / chosen if chosen else Decimal(0)
        for day, paper in self._days(BUYING_DAYS, start, chosen):
            self._buy(day, paper, budget)
        if self.cash > self.purse.most:
            self._cash(at(month_end(month), TAKEN_AT), WITHDRAWAL, self.purse.monthly)

    def _days(self, days: tuple[int, int], start: date, count: int) -> Iterator[tuple[datetime, Paper]]:
        """So many different papers, each at its moment, in the order of the moments; no exchange opens on weekends."""
        moments = []
        for _ in range(count):
            day = start.replace(day=self.fate.randint(*days))
            day += DAY * (7 - day.weekday() if day.weekday() >= SATURDAY else 0)
            moments.append(at(day, self.fate.randrange(OPEN, CLOSE)))
        return zip(sorted(moments), self.fate.sample(self.purse.papers, count), strict=True)

    def _price(self, paper: Paper, when: datetime) -> Decimal:
        return price_on(paper.code, paper.base, when.date(), paper.tick)

    def _buy(self, when: datetime, paper: Paper, budget: Decimal) -> None:
        price = self._price(paper, when)
        quantity = int(budget / (price * (1 + FEE)))
        if quantity:
            amount = price * quantity
            settled = amount + (amount * FEE).quantize(self.unit, ROUND_DOWN)
            self.held[paper] = self.held.get(paper, 0) + quantity
            self._book(when, BUY, amount, -settled, (paper, quantity, price))

    def _sell(self, when: datetime, paper: Paper) -> None:
        quantity = self.held.get(paper, 0) // self.fate.randint(3, 6)
        if quantity:
            price = self._price(paper, when)
            amount = price * quantity
            settled = amount - (amount * (FEE + TAX)).quantize(self.unit, ROUND_DOWN)
            self.held[paper] -= quantity
            self._book(when, SELL, amount, settled, (paper, quantity, price))

    def _cash(self, when: datetime, kind: str, amount: int) -> None:
        self._book(when, kind, Decimal(amount), Decimal(amount if kind == DEPOSIT else -amount))

    def _book(
        self,
        when: datetime,
        kind: str,
        amount: Decimal,
        settled: Decimal,
        traded: tuple[Paper | None, int, Decimal | None] = (None, 0, None),
    ) -> None:
        self.cash += settled
        number = f"{self.purse.currency}{len(self.lines):06}"
        line = Trade(when, number, kind, self.purse.currency, amount, abs(settled), self.cash, *traded)
        self.lines.append(line)


@lru_cache(maxsize=32)
def _lived(customer: int, account: Account, purse: Purse, until: date) -> tuple[Trade, ...]:
    """All lines of a purse from its first day to the end of a month: a life cannot be told from its middle."""
    life = _Life(account, purse, dice("invest", customer, account.number, purse.currency))
    for month in months_between(account.opened, until):
        life.month(month)
    return tuple(life.lines)


def trades(ask: Ask, account: Account) -> list[Trade]:
    """The book of an account up to today, oldest first."""
    lines = (
        line
        for purse in account.purses
        for line in _lived(ask.customer.number, account, purse, month_end(ask.today))
        if line.when.date() <= ask.today
    )
    return sorted(lines, key=lambda line: line.when)


def cash(ask: Ask, account: Account, currency: str) -> Decimal:
    """What money of one currency lies in the account today."""
    lines = [line for line in trades(ask, account) if line.currency == currency]
    return lines[-1].balance if lines else Decimal(0)


def holdings(ask: Ask, account: Account) -> dict[Paper, Holding]:
    """What papers are held today."""
    held: dict[Paper, Holding] = {}
    for line in trades(ask, account):
        if line.paper:
            held.setdefault(line.paper, Holding()).trade(line)
    return held
