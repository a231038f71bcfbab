"""The access token's claims: read strictly, whoever signed them (규격 2.2, RFC 7519)."""

from dataclasses import dataclass
from typing import Final

from relay.domain.fault import FAULTS, Refusal
from relay.domain.strict_json import read_object

_TEXTS: Final = ("iss", "aud", "jti", "scope", "org_code", "client_id")
_TIMES: Final = ("exp", "iat")

ACCESS: Final = ""
REFRESH: Final = "refresh"
MANAGE: Final = "manage"
"""What the claim `use` says: nothing in an access token, which has no claim beyond what every reader expects; that it
refreshes (개별인증-003), or that it opens the support APIs to the portal (지원-101) and no data."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says. Times in whole seconds since the epoch; `scopes` are space-separated in the token."""

    iss: str
    aud: str
    exp: int
    iat: int
    jti: str
    scopes: frozenset[str]
    org_code: str
    client_id: str


class Expired(Refusal):
    """A genuine token past its end (40101). What it says is true all the same: who called is known by it."""

    def __init__(self, claims: Claims) -> None:
        super().__init__(FAULTS["token_expired"])
        self.claims = claims


def claims_of(payload: bytes, use: str = ACCESS) -> Claims:
    """Claims of the payload of a token that is meant for `use`.

    Raises Refusal(token_malformed) naming the claim when one is missing, doubled or of another type: an `exp` written
    as text or a token without `exp` is no token, and one for another use is none for this.
    """
    try:
        found = read_object(payload)
    except ValueError as error:
        raise Refusal(FAULTS["token_malformed"]) from error
    if found.get("use", ACCESS) != use:
        raise Refusal(FAULTS["token_malformed"], "use")
    for name in _TEXTS:
        if not isinstance(found.get(name), str) or not found[name]:
            raise Refusal(FAULTS["token_malformed"], name)
    for name in _TIMES:
        if type(found.get(name)) is not int:  # bool is an int, and no time
            raise Refusal(FAULTS["token_malformed"], name)
    texts = {name: found[name] for name in _TEXTS if name != "scope"}
    return Claims(exp=found["exp"], iat=found["iat"], scopes=frozenset(found["scope"].split()), **texts)
