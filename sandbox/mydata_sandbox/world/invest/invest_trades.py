"""Simulates the accounts at the broker: monthly deposits, trades and withdrawals."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from random import Random
from typing import Final

from mydata_sandbox.world.days import DAY, add_seconds, get_month_end, iter_months
from mydata_sandbox.world.invest.invest_accounts import Account, CurrencyAccount, Security
from mydata_sandbox.world.invest.prices import get_price
from mydata_sandbox.world.model import DataRequest, build_random

DEPOSIT, WITHDRAWAL, BUY, SELL = "301", "302", "341", "342"
DETAILS: Final = {DEPOSIT: "이체입금", WITHDRAWAL: "이체출금", BUY: "매수", SELL: "매도"}
FEE: Final = Decimal("0.00015")
TAX: Final = Decimal("0.0018")
SELLING_DAYS, BUYING_DAYS = (2, 12), (15, 26)
"""Days of the month. The gap of two days keeps a sale that moves to Monday before the purchases it pays for."""
SATURDAY: Final = 5
OPEN, CLOSE, DEPOSITED_AT, WITHDRAWN_AT = 9 * 3600, 15 * 3600 + 1800, 8 * 3600, 16 * 3600


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade, deposit or withdrawal: `settled` is the amount after fee and tax, `balance` the cash after it."""

    moment: datetime
    number: str
    kind: str
    currency: str
    amount: Decimal
    settled: Decimal
    balance: Decimal
    security: Security | None = None
    quantity: int = 0
    price: Decimal | None = None


@dataclass(slots=True)
class Holding:
    """The quantity held of a security, and its cost."""

    quantity: int = 0
    cost: Decimal = Decimal(0)

    def apply(self, trade: Trade) -> None:
        """Applies a trade: a purchase adds its amount to the cost, a sale removes the sold share of the cost."""
        if trade.kind == BUY:
            self.quantity += trade.quantity
            self.cost += trade.amount
            return
        self.cost -= self.cost * trade.quantity / self.quantity
        self.quantity -= trade.quantity


@dataclass(slots=True)
class _Simulation:
    """Simulates one sub-account month by month."""

    account: Account
    sub_account: CurrencyAccount
    rng: Random
    cash: Decimal = Decimal(0)
    held: dict[Security, int] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)

    @property
    def unit(self) -> Decimal:
        """The smallest unit of the currency."""
        return Decimal("0.01") if self.sub_account.currency == "USD" else Decimal(1)

    def trade_month(self, month: date) -> None:
        """Adds the trades of a month: deposit, sales, purchases, withdrawal of excess cash."""
        is_first_month = not self.trades
        start = self.account.opened if is_first_month else month
        self._move_cash(
            add_seconds(start, DEPOSITED_AT),
            DEPOSIT,
            self.sub_account.initial_deposit if is_first_month else self.sub_account.monthly_deposit,
        )
        if not is_first_month:
            for day, security in self._draw_moments(SELLING_DAYS, start, self.sub_account.sells):
                self._sell(day, security)
        count = len(self.sub_account.securities) if is_first_month else self.sub_account.buys
        budget = self.cash / count if count else Decimal(0)
        for day, security in self._draw_moments(BUYING_DAYS, start, count):
            self._buy(day, security, budget)
        if self.cash > self.sub_account.max_cash:
            self._move_cash(
                add_seconds(get_month_end(month), WITHDRAWN_AT), WITHDRAWAL, self.sub_account.monthly_deposit
            )

    def _draw_moments(self, days: tuple[int, int], start: date, count: int) -> Iterator[tuple[datetime, Security]]:
        """Returns `count` different securities with their trading times, in order. Exchanges are closed on weekends."""
        moments = []
        for _ in range(count):
            day = start.replace(day=self.rng.randint(*days))
            day += DAY * (7 - day.weekday() if day.weekday() >= SATURDAY else 0)
            moments.append(add_seconds(day, self.rng.randrange(OPEN, CLOSE)))
        return zip(sorted(moments), self.rng.sample(self.sub_account.securities, count), strict=True)

    def _get_price(self, security: Security, moment: datetime) -> Decimal:
        return get_price(security.code, security.base, moment.date(), security.tick)

    def _buy(self, moment: datetime, security: Security, budget: Decimal) -> None:
        price = self._get_price(security, moment)
        quantity = int(budget / (price * (1 + FEE)))
        if quantity:
            amount = price * quantity
            settled = amount + (amount * FEE).quantize(self.unit, ROUND_DOWN)
            self.held[security] = self.held.get(security, 0) + quantity
            self._record(moment, BUY, amount, -settled, (security, quantity, price))

    def _sell(self, moment: datetime, security: Security) -> None:
        quantity = self.held.get(security, 0) // self.rng.randint(3, 6)
        if quantity:
            price = self._get_price(security, moment)
            amount = price * quantity
            settled = amount - (amount * (FEE + TAX)).quantize(self.unit, ROUND_DOWN)
            self.held[security] -= quantity
            self._record(moment, SELL, amount, settled, (security, quantity, price))

    def _move_cash(self, moment: datetime, kind: str, amount: int) -> None:
        self._record(moment, kind, Decimal(amount), Decimal(amount if kind == DEPOSIT else -amount))

    def _record(
        self,
        moment: datetime,
        kind: str,
        amount: Decimal,
        settled: Decimal,
        order: tuple[Security | None, int, Decimal | None] = (None, 0, None),
    ) -> None:
        self.cash += settled
        number = f"{self.sub_account.currency}{len(self.trades):06}"
        trade = Trade(moment, number, kind, self.sub_account.currency, amount, abs(settled), self.cash, *order)
        self.trades.append(trade)


@lru_cache(maxsize=32)
def _simulate(customer: int, account: Account, sub_account: CurrencyAccount, until: date) -> tuple[Trade, ...]:
    """Returns all trades from the first day to `until`. Each month depends on all months before it."""
    simulation = _Simulation(
        account, sub_account, build_random("invest", customer, account.number, sub_account.currency)
    )
    for month in iter_months(account.opened, until):
        simulation.trade_month(month)
    return tuple(simulation.trades)


def list_trades(request: DataRequest, account: Account) -> list[Trade]:
    """Returns the trades of an account up to today, oldest first."""
    trades = (
        trade
        for sub_account in account.sub_accounts
        for trade in _simulate(request.customer.number, account, sub_account, get_month_end(request.today))
        if trade.moment.date() <= request.today
    )
    return sorted(trades, key=lambda trade: trade.moment)


def get_cash(request: DataRequest, account: Account, currency: str) -> Decimal:
    """Returns today's cash of one currency."""
    trades = [trade for trade in list_trades(request, account) if trade.currency == currency]
    return trades[-1].balance if trades else Decimal(0)


def get_holdings(request: DataRequest, account: Account) -> dict[Security, Holding]:
    """Returns today's holdings by security."""
    held: dict[Security, Holding] = {}
    for trade in list_trades(request, account):
        if trade.security:
            held.setdefault(trade.security, Holding()).apply(trade)
    return held
