"""Counts failed logins by address and login id, against password spraying."""

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from aiohttp import web

from relay.oauth.services import Authority
from relay.policy.consent.login_limits import BY_ADDRESS, BY_LOGIN_ID, LoginLimits, customer_address, network_of

_FORWARDED: Final = "X-Forwarded-For"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A counted login. `address` is the customer's, "" when unknown."""

    address: str = field(repr=False)
    address_key: bytes | None = field(repr=False)
    login_key: bytes = field(repr=False)


class LoginAttempts:
    """Counts failed logins of this process, across requests.

    It stores only digests under a key of this process. Each authority process counts separately.
    """

    def __init__(self, services: Authority) -> None:
        self._services = services
        self._key = services.random().encode()
        self._by_address = LoginLimits(BY_ADDRESS)
        self._by_login_id = LoginLimits(BY_LOGIN_ID)

    def count(self, http: web.Request, org_code: str, login_id: str) -> Attempt | int:
        """Counts a login before it is tried. After too many, returns the seconds to wait and counts nothing."""
        now = self._services.clock()
        attempt = self._build_attempt(http, org_code, login_id)
        wait_s = self._by_login_id.wait(attempt.login_key, now)
        if attempt.address_key is not None:
            wait_s = max(wait_s, self._by_address.wait(attempt.address_key, now))
        if wait_s > 0:
            return ceil(wait_s)
        self._by_login_id.take(attempt.login_key, now)
        if attempt.address_key is not None:
            self._by_address.take(attempt.address_key, now)
        return attempt

    def uncount(self, attempt: Attempt) -> None:
        """Uncounts a login that was right, or that the institution did not answer."""
        self._by_login_id.give_back(attempt.login_key)
        if attempt.address_key is not None:
            self._by_address.give_back(attempt.address_key)

    def _build_attempt(self, http: web.Request, org_code: str, login_id: str) -> Attempt:
        address = customer_address(
            http.remote or "", ",".join(http.headers.getall(_FORWARDED, ())), self._services.office.pages_proxies
        )
        # institutions may ignore case, blanks and full-width forms, so these must not make a new login id
        folded = unicodedata.normalize("NFKC", login_id).casefold()
        login_key = self._digest("login", org_code, "".join(folded.split()))
        return Attempt(address, self._digest("address", network_of(address)) if address else None, login_key)

    def _digest(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\0".join(parts).encode(), hashlib.sha256)
