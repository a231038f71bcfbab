"""Logins at the pages against password spraying: who tries, and how often this address or login id was wrong."""

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
    """One login that was counted. `address` is the customer's, "" when it is not known."""

    address: str = field(repr=False)
    address_key: bytes | None = field(repr=False)
    login_key: bytes = field(repr=False)


class LoginAttempts:
    """Counts wrong logins in this process, across requests and institutions' answers.

    What is kept are digests under a key of this process; with several authorities each counts for itself.
    """

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._key = authority.random().encode()
        self._by_address = LoginLimits(BY_ADDRESS)
        self._by_login_id = LoginLimits(BY_LOGIN_ID)

    def take(self, http: web.Request, org_code: str, login_id: str) -> Attempt | int:
        """Count a login before it is tried. After too many, returns the seconds to wait and counts nothing."""
        now = self._authority.clock()
        attempt = self._attempt(http, org_code, login_id)
        wait = self._by_login_id.wait(attempt.login_key, now)
        if attempt.address_key is not None:
            wait = max(wait, self._by_address.wait(attempt.address_key, now))
        if wait > 0:
            return ceil(wait)
        self._by_login_id.take(attempt.login_key, now)
        if attempt.address_key is not None:
            self._by_address.take(attempt.address_key, now)
        return attempt

    def give_back(self, attempt: Attempt) -> None:
        """Uncount a login that was right, or that the institution did not answer."""
        self._by_login_id.give_back(attempt.login_key)
        if attempt.address_key is not None:
            self._by_address.give_back(attempt.address_key)

    def _attempt(self, http: web.Request, org_code: str, login_id: str) -> Attempt:
        address = customer_address(
            http.remote or "", ",".join(http.headers.getall(_FORWARDED, ())), self._authority.office.pages_proxies
        )
        # institutions tell ids apart as they like: case, blanks and full-width letters must not make a new id here
        folded = unicodedata.normalize("NFKC", login_id).casefold()
        login_key = self._digest("login", org_code, "".join(folded.split()))
        return Attempt(address, self._digest("address", network_of(address)) if address else None, login_key)

    def _digest(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\0".join(parts).encode(), hashlib.sha256)
