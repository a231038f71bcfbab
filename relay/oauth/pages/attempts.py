"""Counts failed logins by address and login id, against password spraying."""

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from aiohttp import web

from relay.oauth.dependencies import AuthorityDependencies
from relay.policy.consent.login_limits import ADDRESS_RATE, LOGIN_ID_RATE, find_customer_address
from relay.policy.quota.keyed_limits import KeyedRateLimiter
from relay.policy.quota.networks import get_network

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

    def __init__(self, dependencies: AuthorityDependencies) -> None:
        self._dependencies = dependencies
        self._key = dependencies.random().encode()
        self._by_address = KeyedRateLimiter(ADDRESS_RATE)
        self._by_login_id = KeyedRateLimiter(LOGIN_ID_RATE)

    def count(self, http: web.Request, org_code: str, login_id: str) -> Attempt | int:
        """Counts a login before it is tried. After too many, returns the seconds to wait and counts nothing."""
        now = self._dependencies.clock()
        attempt = self._build_attempt(http, org_code, login_id)
        wait_s = self._by_login_id.get_wait_s(attempt.login_key, now)
        if attempt.address_key is not None:
            wait_s = max(wait_s, self._by_address.get_wait_s(attempt.address_key, now))
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
        address = find_customer_address(
            http.remote or "", ",".join(http.headers.getall(_FORWARDED, ())), self._dependencies.settings.pages_proxies
        )
        # institutions may ignore case, blanks and full-width forms, so these must not make a new login id
        folded = unicodedata.normalize("NFKC", login_id).casefold()
        login_key = self._digest("login", org_code, "".join(folded.split()))
        return Attempt(address, self._digest("address", get_network(address)) if address else None, login_key)

    def _digest(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\0".join(parts).encode(), hashlib.sha256)
