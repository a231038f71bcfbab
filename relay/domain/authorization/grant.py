"""The consent of an access token in the form that a gateway needs, looked up once and cached."""

from dataclasses import dataclass, field


class NotCached(Exception):
    """The grant of this access token is not cached and must be loaded from the ledger first."""

    def __init__(self, jti: str) -> None:
        super().__init__()
        self.jti = jti


@dataclass(slots=True)
class Grant:
    """The consent of one access token. `consent` is a digest of its id, b"" if it has no scheduled transfer.

    `ends_at` is the moment after its last day, in epoch seconds. `assets` names the assets that were consented to, as
    `encode_assets` of `policy/call/assets` writes them. `withheld` names the response fields that the
    customer did not consent to. `particulars_body` is the response body of 정보제공-공통-002.
    `is_revoked` becomes true when the ledger reports the revocation, never false again; all holders share the object.
    """

    jti: str
    consent: bytes
    ends_at: float
    is_scheduled: bool
    assets: str = field(repr=False)
    withheld: frozenset[str]
    particulars_body: bytes = field(repr=False)
    ci: bytes = field(repr=False)
    is_revoked: bool = False
