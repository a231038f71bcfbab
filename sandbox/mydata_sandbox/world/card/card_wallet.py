"""The cards of the customers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from mydata_sandbox.world.counterparties import draw_digits, draw_id
from mydata_sandbox.world.lookup import find_asset, get_owned
from mydata_sandbox.world.model import DataRequest
from mydata_sandbox.world.seeds import CACHED_MONTHS, CustomerSeed, build_seed

CREDIT: Final = "01"
DEBIT: Final = "02"
"""체크카드."""
SMALL_CREDIT: Final = "03"
OWN: Final = "1"
FAMILY: Final = "2"


@dataclass(frozen=True, slots=True)
class Product:
    """A card product. `uses` and `abroad` are the ranges of domestic and overseas uses a month."""

    name: str
    kind: str
    brand: str
    fee: int
    is_transit_card: bool
    is_cash_card: bool
    uses: tuple[int, int]
    abroad: tuple[int, int]


_EVERYDAY: Final = Product("가온 매일카드", CREDIT, "I01", 15_000, True, False, (44, 60), (2, 6))
_TRAVEL: Final = Product("가온 너른하늘 마일리지", CREDIT, "I02", 100_000, False, False, (6, 14), (22, 34))
_HOUSEHOLD: Final = Product("가온 가족카드", CREDIT, "I01", 5_000, True, False, (12, 24), (0, 2))
_PLAIN_DEBIT: Final = Product("가온 주머니 체크", DEBIT, "I03", 0, True, True, (20, 34), (0, 3))
_HYBRID: Final = Product("가온 하이브리드 체크", SMALL_CREDIT, "D08", 2_000, True, True, (8, 18), (0, 0))

_CARDS: Final[Mapping[int, tuple[tuple[Product, str], ...]]] = {
    1: ((_EVERYDAY, OWN), (_HOUSEHOLD, FAMILY), (_PLAIN_DEBIT, OWN)),
    2: ((_EVERYDAY, OWN), (_HOUSEHOLD, FAMILY), (_PLAIN_DEBIT, OWN), (_HYBRID, OWN)),
    3: ((_EVERYDAY, OWN), (_TRAVEL, OWN), (_HOUSEHOLD, FAMILY), (_PLAIN_DEBIT, OWN)),
}
"""The cards of each customer (1 to 3), with their holder. Ordered by the kind of card, as in 카드-001."""


@dataclass(frozen=True, slots=True)
class Card:
    """A card. `holder` is OWN or FAMILY (본인, 가족)."""

    card_id: str
    number: str
    product: Product
    holder: str
    issued: date

    @property
    def is_billed(self) -> bool:
        """Whether its uses are on the customer's bill: those of own credit cards are."""
        return self.holder == OWN and self.product.kind != DEBIT


def list_cards(request: DataRequest) -> tuple[Card, ...]:
    """Returns the customer's cards, credit cards first."""
    return _build_cards(build_seed(request), request.customer.since, get_owned(_CARDS, request))


@lru_cache(maxsize=CACHED_MONTHS)
def _build_cards(seed: CustomerSeed, since: date, products: tuple[tuple[Product, str], ...]) -> tuple[Card, ...]:
    return tuple(_build_card(seed, since, product, holder) for product, holder in products)


def _build_card(seed: CustomerSeed, since: date, product: Product, holder: str) -> Card:
    rng = seed.build_random("card", product.name)
    number = f"9{draw_digits(rng, 3)}-{draw_digits(rng, 2)}**-****-{draw_digits(rng, 4)}"
    issued = since + timedelta(days=rng.randrange(20, 900))
    return Card(draw_id(seed.build_random("card_id", product.name)), number, product, holder, issued)


def find_card(request: DataRequest) -> Card:
    """Returns the card named by the path of the request."""
    return find_asset(list_cards(request), lambda card: card.card_id == request.params.get("card_id"))


def get_main_card(request: DataRequest) -> Card:
    """Returns the card that loans belong to: the first one, which is a credit card."""
    return list_cards(request)[0]
