"""Identifies a browser by a random secret in a cookie for each request.

Each request has its own cookie, so that a customer can open several at once in a fresh browser: tabs would overwrite a
common cookie. The ledger stores only a digest of the secret. Forms carry a token that is derived from it. The server
keeps no state, so each process of the authority can serve each browser.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from relay.domain.authorization.digest import digest_text

_COOKIE: Final = "__Host-relay-"
"""Browsers refuse this prefix from another host or without Secure (RFC 6265bis 4.1.3)."""

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{32,128}")


def cookie_name(request_id: str) -> str:
    """Returns the cookie name of a request, which does not reveal its id."""
    return _COOKIE + urlsafe_b64encode(digest_text(request_id)[:12]).decode()


@dataclass(frozen=True, slots=True)
class Browser:
    """The holder of a cookie. `secret` is URL-safe text of at least 192 random bits."""

    secret: str = field(repr=False)

    @classmethod
    def from_cookies(cls, cookies: Mapping[str, str], request_id: str) -> Self | None:
        """Returns the browser that sent `cookies`; None without a valid cookie of this request."""
        secret = cookies.get(cookie_name(request_id), "")
        return cls(secret) if _SECRET.fullmatch(secret) else None

    def digest(self, request_id: str) -> bytes:
        """Returns the 32 bytes to which the ledger binds a request."""
        return self._derive("browser", request_id)

    def form_token(self, request_id: str) -> str:
        """Returns the CSRF token of this request's forms."""
        return urlsafe_b64encode(self._derive("form", request_id)).decode()

    def is_form_token(self, request_id: str, form_token: str) -> bool:
        """Returns whether `form_token` is the CSRF token, in constant time."""
        return hmac.compare_digest(self.form_token(request_id).encode(), form_token.encode())

    def _derive(self, use: str, request_id: str) -> bytes:
        return hmac.digest(self.secret.encode(), f"{use} {request_id}".encode(), hashlib.sha256)
