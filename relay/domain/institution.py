"""Data that the authority reads from an institution while a customer uses its pages (규격 3.2.1)."""

from dataclasses import dataclass, field

from relay.domain.authorization.consent import Asset


@dataclass(frozen=True, slots=True)
class Holding:
    """An asset that a customer has at an institution, as the consent page shows it.

    `scopes` are those under which it is listed (a minus account has two). `label` is shown to the customer.
    """

    scopes: tuple[str, ...]
    asset: Asset
    label: str = field(repr=False)


class InstitutionError(Exception):
    """The institution did not respond, or not as documented. The text describes the error, never a value."""
