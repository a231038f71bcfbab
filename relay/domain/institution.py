"""What the authority learns from an institution while a customer waits at the pages (규격 3.2.1)."""

from dataclasses import dataclass, field

from relay.domain.authorization.consent import Asset


@dataclass(frozen=True, slots=True)
class Holding:
    """An asset that a customer has at an institution, as the consent page shows it.

    `scopes` are those under which it is listed (a minus account stands under two). `label` is for the customer's eyes.
    """

    scopes: tuple[str, ...]
    asset: Asset
    label: str = field(repr=False)


class DeskFault(Exception):
    """The institution did not answer, or not as documented. The text names what was wrong, never a value."""
