"""The browser before the page: a random secret in a cookie of the request, and what follows from it.

Each request has a cookie of its own, so that a customer may open several at once, in a browser that was never here: one
cookie for all of them would be set anew by each tab. The ledger sees only a digest; forms carry a token that only this
browser could be given. Nothing is kept on this side, so every process of the authority can answer every browser.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

_COOKIE: Final = "__Host-relay-"
"""The prefix makes browsers refuse it from another host, or without Secure (RFC 6265bis 4.1.3)."""

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{32,128}")


def cookie_of(request_id: str) -> str:
    """The name of a request's cookie; the id itself stands in no cookie."""
    return _COOKIE + urlsafe_b64encode(hashlib.sha256(request_id.encode()).digest()[:12]).decode()


@dataclass(frozen=True, slots=True)
class Browser:
    """Who shows the cookie. `secret` is URL-safe text of at least 192 random bits."""

    secret: str = field(repr=False)

    @classmethod
    def of(cls, cookies: Mapping[str, str], request_id: str) -> Self | None:
        """The browser that sent `cookies`; None when it has none of this request."""
        secret = cookies.get(cookie_of(request_id), "")
        return cls(secret) if _SECRET.fullmatch(secret) else None

    def digest(self, request_id: str) -> bytes:
        """What the ledger binds a request to: 32 bytes."""
        return self._about("browser", request_id)

    def form_token(self, request_id: str) -> str:
        """What a form of this request must bring back, against forms that other sites send (CSRF)."""
        return urlsafe_b64encode(self._about("form", request_id)).decode()

    def fits(self, request_id: str, form_token: str) -> bool:
        """Whether `form_token` is ours; in constant time."""
        return hmac.compare_digest(self.form_token(request_id).encode(), form_token.encode())

    def _about(self, use: str, request_id: str) -> bytes:
        return hmac.digest(self.secret.encode(), f"{use} {request_id}".encode(), hashlib.sha256)
