"""The claims of a token, parsed strictly for every issuer (규격 2.2, RFC 7519)."""

from dataclasses import dataclass
from typing import Final

from relay.domain.fault import FAULTS, Refusal
from relay.domain.strict_json import read_object

_TEXTS: Final = ("iss", "aud", "jti", "scope", "org_code", "client_id")
_TIMES: Final = ("exp", "iat")

ACCESS: Final = ""
REFRESH: Final = "refresh"
MANAGE: Final = "manage"
"""Values of the claim `use`. An access token has none, because institutions expect no further claim. `refresh` is for
개별인증-003, `manage` for the portal's support API calls (지원-101), which allow no access to data."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token. Times in whole seconds since the epoch; `scopes` are space-separated in the token."""

    iss: str
    aud: str
    exp: float
    iat: int
    jti: str
    scopes: frozenset[str]
    org_code: str
    client_id: str


class TokenExpired(Refusal):
    """Refuses a genuine token after its expiry (40101). `claims` still identify the caller."""

    def __init__(self, claims: Claims) -> None:
        super().__init__(FAULTS["token_expired"])
        self.claims = claims


class NotVerified(Exception):
    """The token is not cached, and no more tokens are verified in this turn of the event loop."""


def parse_claims(payload: bytes, use: str = ACCESS) -> Claims:
    """Parses the payload of a token that is meant for `use`.

    Raises Refusal(token_malformed) naming the claim when a claim is missing, repeated or of another type (such as `exp`
    as text), or when the token is for another use.
    """
    try:
        claims = read_object(payload)
    except ValueError as error:
        raise Refusal(FAULTS["token_malformed"]) from error
    if claims.get("use", ACCESS) != use:
        raise Refusal(FAULTS["token_malformed"], "use")
    for name in _TEXTS:
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise Refusal(FAULTS["token_malformed"], name)
    for name in _TIMES:
        if type(claims.get(name)) is not int:  # a bool is an int too
            raise Refusal(FAULTS["token_malformed"], name)
    texts = {name: claims[name] for name in _TEXTS if name != "scope"}
    return Claims(exp=claims["exp"], iat=claims["iat"], scopes=frozenset(claims["scope"].split()), **texts)
