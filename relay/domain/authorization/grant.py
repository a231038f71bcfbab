"""What a token opens: the consent behind it as a gateway needs it, looked up once and remembered."""

from collections.abc import Mapping
from dataclasses import dataclass, field


class NotYet(Exception):
    """The ledger has to be asked for the grant of this access token first."""

    def __init__(self, jti: str) -> None:
        super().__init__()
        self.jti = jti


@dataclass(slots=True)
class Grant:
    """The consent behind one access token.

    `ends` is the moment after its last day, in epoch seconds. `assets` holds, by scope, the (asset, seqno) pairs that
    were consented to, None for all; a list scope needs no row. `withheld` names the fields of answers that the customer
    did not consent to. `told` is the body that answers 정보제공-공통-002. `revoked` turns true when the ledger says
    so and never back: whoever holds the grant sees it.
    """

    jti: str
    ends: float
    scheduled: bool
    assets: Mapping[str, frozenset[tuple[str, str]] | None] = field(repr=False)
    withheld: frozenset[str]
    told: bytes = field(repr=False)
    ci: bytes = field(repr=False)
    revoked: bool = False
