"""What cards were used for: at home, abroad, and the big things that are paid in parts."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from relay.sandbox.world.card_wallet import CHECK, CREDIT, SMALL_CREDIT, Card
from relay.sandbox.world.days import DAY, month_end, months_between, months_passed
from relay.sandbox.world.model import Ask
from relay.sandbox.world.months import YEAR, clock, first, yesterday
from relay.sandbox.world.street import BIG_SHOPS, Shop, digits, shopping
from relay.sandbox.world.teller import MONTHS_KEPT, Teller, teller

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
class Place:
    """A shop abroad: its country and currency, prices in hundredths, and won for one of its money."""

    name: str
    country: str
    currency: str
    least: int
    most: int
    won: Decimal


PLACES: Final = (
    Place("BLUE HARBOR COFFEE SEATTLE", "US", "USD", 450, 2800, Decimal(1340)),
    Place("PINE STREET BOOKS ONLINE", "US", "USD", 999, 8900, Decimal(1340)),
    Place("NORTH MEADOW OUTFITTERS", "US", "USD", 2500, 32000, Decimal(1340)),
    Place("SAKURA DORI MARKET TOKYO", "JP", "JPY", 48000, 1460000, Decimal("9.1")),
    Place("KAZE RAILWAYS", "JP", "JPY", 21000, 890000, Decimal("9.1")),
    Place("CAFE DES TILLEULS PARIS", "FR", "EUR", 380, 4600, Decimal(1455)),
    Place("GASTHAUS LINDENHOF WIEN", "AT", "EUR", 1200, 15800, Decimal(1455)),
)


@dataclass(frozen=True, slots=True)
class Use:
    """A use of a card in won. `changed` is when it was cancelled or corrected, `corrected` the amount since.

    `place` and `foreign` tell a use abroad; `parts` the months a big thing is paid in.
    """

    card: Card
    number: str
    at: datetime
    pay_type: str
    amount: int
    shop: Shop | None = None
    place: Place | None = None
    foreign: Decimal = Decimal(0)
    parts: int | None = None
    status: str = APPROVED
    changed: datetime | None = None
    corrected: int = 0

    @property
    def cost(self) -> int:
        """What it came to in the end."""
        return {APPROVED: self.amount, CANCELLED: 0, CORRECTED: self.corrected}[self.status]

    def touches(self, start: date, end: date) -> bool:
        """Whether it was made, cancelled or corrected between two days."""
        moments = (self.at, self.changed or self.at)
        return any(start <= moment.date() <= end for moment in moments)

    def known_by(self, day: date) -> "Use":
        """As the books told it that night: a change still to come is not known."""
        if self.changed is None or self.changed.date() <= day:
            return self
        return replace(self, status=APPROVED, changed=None, corrected=0)


Uses = Callable[[Teller, Card, date], Iterable[Use]]
"""Tells all uses of one sort that a card saw in a month."""


def within(ask: Ask, card: Card, uses: Uses, start: date, end: date) -> list[Use]:
    """The uses made, cancelled or corrected from `start` to `end`, the latest use first."""
    # A use of the last days of the month before may have been changed in this one.
    months = months_between(max(start - _LATEST_CHANGE * DAY, card.issued), end)
    told = (use.known_by(yesterday(ask)) for month in months for use in uses(teller(ask), card, month))
    return newest_first(use for use in told if use.touches(start, end))


def newest_first(uses: Iterable[Use]) -> list[Use]:
    """Uses in the order the standard asks for."""
    return sorted(uses, key=lambda use: (use.at, use.number), reverse=True)


def at_home(told_by: Teller, card: Card, month: date) -> Iterator[Use]:
    """All uses of a card at home in a month, told whole so that every window sees the same."""
    yield from small(told_by, card, month)
    yield from big(told_by, card, month)


@lru_cache(maxsize=MONTHS_KEPT)
def small(told_by: Teller, card: Card, month: date) -> tuple[Use, ...]:
    """The everyday ones."""
    return tuple(_small(told_by, card, month))


def _small(told_by: Teller, card: Card, month: date) -> Iterator[Use]:
    dice = told_by.dice("uses", card.card_id, month)
    days = month_end(month).day
    for _ in range(dice.randint(*card.product.uses)):
        shop, at, amount = shopping(dice, month + int(dice.random() * days) * DAY)
        number, hybrid, fate, delay = digits(dice, 8), dice.random(), dice.random(), dice.random()
        if at.date() < card.issued:
            continue
        use = Use(card, number, at, _pay_type(card, hybrid), amount, shop)
        yield _fated(use, fate, int(delay * _LATEST_CHANGE) + 1) if fate < _CORRECTS else use


def _fated(use: Use, fate: float, days: int) -> Use:
    changed = use.at + days * DAY
    if fate < _CANCELS:
        return replace(use, status=CANCELLED, changed=changed)
    return replace(use, status=CORRECTED, changed=changed, corrected=use.amount * 3 // 40 * 10)


def _pay_type(card: Card, chance: float) -> str:
    if card.product.kind == SMALL_CREDIT:
        return BY_CREDIT if chance * _SMALL_CREDIT_ONE_IN < 1 else BY_ACCOUNT
    return BY_ACCOUNT if card.product.kind == CHECK else BY_CREDIT


def big(told_by: Teller, card: Card, month: date) -> Iterator[Use]:
    """Now and then a big thing bought on a credit card, paid in parts."""
    return (use for use in _big_of_year(told_by, card, month.year) if use.at.month == month.month)


@lru_cache(maxsize=MONTHS_KEPT)
def _big_of_year(told_by: Teller, card: Card, year: int) -> tuple[Use, ...]:
    return tuple(_big(told_by, card, year))


def _big(told_by: Teller, card: Card, year: int) -> Iterator[Use]:
    if card.product.kind != CREDIT:
        return
    dice = told_by.dice("big", card.card_id, year)
    for month in range(1, YEAR + 1):
        if dice.randrange(_BIG_ONE_IN):
            continue
        shop, at, amount = shopping(dice, date(year, month, dice.randrange(1, 29)), BIG_SHOPS)
        number, parts = digits(dice, 8), dice.choice(_PARTS)
        if at.date() >= card.issued:
            yield Use(card, number, at, BY_CREDIT, amount, shop, parts=parts)


@lru_cache(maxsize=MONTHS_KEPT)
def abroad(told_by: Teller, card: Card, month: date) -> tuple[Use, ...]:
    """All uses of a card in other countries, or in their shops on the net, in a month."""
    return tuple(_abroad(told_by, card, month))


def _abroad(told_by: Teller, card: Card, month: date) -> Iterator[Use]:
    dice = told_by.dice("abroad", card.card_id, month)
    days = month_end(month).day
    for _ in range(dice.randint(*card.product.abroad)):
        place = PLACES[int(dice.random() * len(PLACES))]
        at = clock(month, 0) + timedelta(seconds=int(dice.random() * days * _SECONDS))
        foreign = _foreign(place, place.least + int(dice.random() * (place.most - place.least)))
        number, fate, delay = digits(dice, 8), dice.random(), int(dice.random() * _LATEST_CHANGE) + 1
        if at.date() < card.issued:
            continue
        pay_type = BY_ACCOUNT if card.product.kind == CHECK else BY_CREDIT
        use = Use(card, number, at, pay_type, int(foreign * place.won), place=place, foreign=foreign)
        yield replace(use, status=CANCELLED, changed=at + delay * DAY) if fate < _CANCELS else use


def _foreign(place: Place, hundredths: int) -> Decimal:
    return Decimal(hundredths // 100) if place.currency == "JPY" else Decimal(hundredths) / 100


def in_parts(told_by: Teller, card: Card, month: date) -> Iterator[tuple[Use, int]]:
    """The big things of which a part falls due in a month, each with the number of that part (1 for the first)."""
    for year in (month.year - 1, month.year):
        for use in _big_of_year(told_by, card, year):
            number = months_passed(first(use.at.date()), month)
            if 1 <= number <= (use.parts or 0):
                yield use, number
