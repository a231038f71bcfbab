"""Uses of cards: domestic, overseas, and large purchases paid in instalments."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from mydata_sandbox.world.card.card_wallet import CREDIT, DEBIT, SMALL_CREDIT, Card
from mydata_sandbox.world.counterparties import BIG_TICKET_MERCHANTS, Merchant, draw_digits, draw_purchase
from mydata_sandbox.world.days import DAY, count_months, get_month_end, iter_months
from mydata_sandbox.world.model import DataRequest
from mydata_sandbox.world.months import YEAR, get_yesterday, to_datetime, to_month
from mydata_sandbox.world.seeds import CACHED_MONTHS, CustomerSeed, build_seed

APPROVED: Final = "01"
CANCELLED: Final = "02"
CORRECTED: Final = "03"

BY_CREDIT: Final = "01"
BY_ACCOUNT: Final = "02"

_PARTS: Final = (3, 5, 6, 10, YEAR)
_BIG_ONE_IN: Final = 3
_LATEST_CHANGE: Final = 5
_SECONDS: Final = 24 * 3600
_CANCELS: Final = 0.05
_CORRECTS: Final = 0.08
_SMALL_CREDIT_ONE_IN: Final = 4


@dataclass(frozen=True, slots=True)
class ForeignMerchant:
    """An overseas merchant: country, currency, prices in hundredths, and `won` for one unit of the currency."""

    name: str
    country: str
    currency: str
    min_price: int
    max_price: int
    won: Decimal


FOREIGN_MERCHANTS: Final = (
    ForeignMerchant("BLUE HARBOR COFFEE SEATTLE", "US", "USD", 450, 2800, Decimal(1340)),
    ForeignMerchant("PINE STREET BOOKS ONLINE", "US", "USD", 999, 8900, Decimal(1340)),
    ForeignMerchant("NORTH MEADOW OUTFITTERS", "US", "USD", 2500, 32000, Decimal(1340)),
    ForeignMerchant("SAKURA DORI MARKET TOKYO", "JP", "JPY", 48000, 1460000, Decimal("9.1")),
    ForeignMerchant("KAZE RAILWAYS", "JP", "JPY", 21000, 890000, Decimal("9.1")),
    ForeignMerchant("CAFE DES TILLEULS PARIS", "FR", "EUR", 380, 4600, Decimal(1455)),
    ForeignMerchant("GASTHAUS LINDENHOF WIEN", "AT", "EUR", 1200, 15800, Decimal(1455)),
)


@dataclass(frozen=True, slots=True)
class Use:
    """A use of a card in won. It was cancelled, or corrected to `corrected_amount`, at `changed_at`.

    `foreign_merchant` and `foreign_amount` are set for overseas uses; `parts` is the number of instalments.
    """

    card: Card
    number: str
    moment: datetime
    pay_type: str
    amount: int
    merchant: Merchant | None = None
    foreign_merchant: ForeignMerchant | None = None
    foreign_amount: Decimal = Decimal(0)
    parts: int | None = None
    status: str = APPROVED
    changed_at: datetime | None = None
    corrected_amount: int = 0

    @property
    def final_amount(self) -> int:
        """The final amount."""
        return {APPROVED: self.amount, CANCELLED: 0, CORRECTED: self.corrected_amount}[self.status]

    def is_within(self, start: date, end: date) -> bool:
        """Returns whether it was made, cancelled or corrected from `start` to `end`."""
        moments = (self.moment, self.changed_at or self.moment)
        return any(start <= moment.date() <= end for moment in moments)

    def as_known_on(self, day: date) -> "Use":
        """Returns the use as known at the end of `day`, without later changes."""
        if self.changed_at is None or self.changed_at.date() <= day:
            return self
        return replace(self, status=APPROVED, changed_at=None, corrected_amount=0)


ListUses = Callable[[CustomerSeed, Card, date], Iterable[Use]]
"""Returns all uses of one kind of a card in a month."""


def select_uses(request: DataRequest, card: Card, list_uses: ListUses, start: date, end: date) -> list[Use]:
    """Returns the uses made, cancelled or corrected from `start` to `end`, the latest use first."""
    # A use in the last days of the previous month may have been changed in this one.
    months = iter_months(max(start - _LATEST_CHANGE * DAY, card.issued), end)
    known_uses = (
        use.as_known_on(get_yesterday(request))
        for month in months
        for use in list_uses(build_seed(request), card, month)
    )
    return sort_newest_first(use for use in known_uses if use.is_within(start, end))


def sort_newest_first(uses: Iterable[Use]) -> list[Use]:
    """Returns uses in the order of the standard."""
    return sorted(uses, key=lambda use: (use.moment, use.number), reverse=True)


def list_domestic(seed: CustomerSeed, card: Card, month: date) -> Iterator[Use]:
    """Yields all domestic uses of a card in a month. It is always the whole month, so that all periods agree."""
    yield from list_everyday(seed, card, month)
    yield from list_big_ticket(seed, card, month)


@lru_cache(maxsize=CACHED_MONTHS)
def list_everyday(seed: CustomerSeed, card: Card, month: date) -> tuple[Use, ...]:
    """Returns the everyday uses of a card in a month."""
    return tuple(_draw_everyday(seed, card, month))


def _draw_everyday(seed: CustomerSeed, card: Card, month: date) -> Iterator[Use]:
    rng = seed.build_random("uses", card.card_id, month)
    days = get_month_end(month).day
    for _ in range(rng.randint(*card.product.uses)):
        merchant, moment, amount = draw_purchase(rng, month + int(rng.random() * days) * DAY)
        number, credit_chance, chance, delay = draw_digits(rng, 8), rng.random(), rng.random(), rng.random()
        if moment.date() < card.issued:
            continue
        use = Use(card, number, moment, _choose_pay_type(card, credit_chance), amount, merchant)
        yield _change_use(use, chance, int(delay * _LATEST_CHANGE) + 1) if chance < _CORRECTS else use


def _change_use(use: Use, chance: float, days: int) -> Use:
    changed_at = use.moment + days * DAY
    if chance < _CANCELS:
        return replace(use, status=CANCELLED, changed_at=changed_at)
    return replace(use, status=CORRECTED, changed_at=changed_at, corrected_amount=use.amount * 3 // 40 * 10)


def _choose_pay_type(card: Card, chance: float) -> str:
    if card.product.kind == SMALL_CREDIT:
        return BY_CREDIT if chance * _SMALL_CREDIT_ONE_IN < 1 else BY_ACCOUNT
    return BY_ACCOUNT if card.product.kind == DEBIT else BY_CREDIT


def list_big_ticket(seed: CustomerSeed, card: Card, month: date) -> Iterator[Use]:
    """Returns the large purchases of a credit card in a month, paid in instalments."""
    return (use for use in _list_big_ticket_of_year(seed, card, month.year) if use.moment.month == month.month)


@lru_cache(maxsize=CACHED_MONTHS)
def _list_big_ticket_of_year(seed: CustomerSeed, card: Card, year: int) -> tuple[Use, ...]:
    return tuple(_draw_big_ticket(seed, card, year))


def _draw_big_ticket(seed: CustomerSeed, card: Card, year: int) -> Iterator[Use]:
    if card.product.kind != CREDIT:
        return
    rng = seed.build_random("big", card.card_id, year)
    for month in range(1, YEAR + 1):
        if rng.randrange(_BIG_ONE_IN):
            continue
        merchant, moment, amount = draw_purchase(rng, date(year, month, rng.randrange(1, 29)), BIG_TICKET_MERCHANTS)
        number, parts = draw_digits(rng, 8), rng.choice(_PARTS)
        if moment.date() >= card.issued:
            yield Use(card, number, moment, BY_CREDIT, amount, merchant, parts=parts)


@lru_cache(maxsize=CACHED_MONTHS)
def list_overseas(seed: CustomerSeed, card: Card, month: date) -> tuple[Use, ...]:
    """Returns all uses of a card at overseas merchants, also online ones, in a month."""
    return tuple(_draw_overseas(seed, card, month))


def _draw_overseas(seed: CustomerSeed, card: Card, month: date) -> Iterator[Use]:
    rng = seed.build_random("abroad", card.card_id, month)
    days = get_month_end(month).day
    for _ in range(rng.randint(*card.product.abroad)):
        foreign_merchant = FOREIGN_MERCHANTS[int(rng.random() * len(FOREIGN_MERCHANTS))]
        moment = to_datetime(month, 0) + timedelta(seconds=int(rng.random() * days * _SECONDS))
        foreign_amount = _to_foreign_amount(
            foreign_merchant,
            foreign_merchant.min_price + int(rng.random() * (foreign_merchant.max_price - foreign_merchant.min_price)),
        )
        number, chance, delay = draw_digits(rng, 8), rng.random(), int(rng.random() * _LATEST_CHANGE) + 1
        if moment.date() < card.issued:
            continue
        pay_type = BY_ACCOUNT if card.product.kind == DEBIT else BY_CREDIT
        use = Use(
            card,
            number,
            moment,
            pay_type,
            int(foreign_amount * foreign_merchant.won),
            foreign_merchant=foreign_merchant,
            foreign_amount=foreign_amount,
        )
        yield replace(use, status=CANCELLED, changed_at=moment + delay * DAY) if chance < _CANCELS else use


def _to_foreign_amount(foreign_merchant: ForeignMerchant, hundredths: int) -> Decimal:
    return Decimal(hundredths // 100) if foreign_merchant.currency == "JPY" else Decimal(hundredths) / 100


def list_instalments(seed: CustomerSeed, card: Card, month: date) -> Iterator[tuple[Use, int]]:
    """Yields the purchases with an instalment due in a month, each with the instalment number (from 1)."""
    for year in (month.year - 1, month.year):
        for use in _list_big_ticket_of_year(seed, card, year):
            number = count_months(to_month(use.moment.date()), month)
            if 1 <= number <= (use.parts or 0):
                yield use, number
