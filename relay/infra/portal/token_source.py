"""The token of 지원-001, one for the relay and all its members: cached, renewed before it expires."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from relay.domain.portal import PortalDown

_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_TOKEN: Final = re.compile(r"[!-~]{1,1500}")
_YEAR_S: Final = 366 * 86_400
"""Longer lifetimes are cut to this (core 5.1: at most a year)."""
_EARLY_SHARE: Final = 0.2
_EARLY_S: Final = 300.0
_LATEST_SHARE: Final = 0.5
_RETRY_S: Final = 60.0


def check_token(body: Mapping[str, Any]) -> str:
    """Returns what is missing in a 지원-001 body, "" for nothing. `scope` and rsp_code are optional (core 5.1)."""
    if str(body.get("token_type")).lower() != "bearer":
        return "token_type is not Bearer"
    token = body.get("access_token")
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        return "access_token is missing or malformed"
    if not _lifetime(body):
        return "expires_in is missing or malformed"
    return "" if body.get("scope", "manage") == "manage" else "scope is not manage"


class TokenSource:
    """Caches the token that `fetch` returns; `ticks` returns monotonic seconds.

    A token is renewed when a fifth of its lifetime remains, at least five minutes, but never in its first half. If the
    renewal fails, the current token stays in use until it expires; the next attempt is a minute later.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Mapping[str, Any]]], ticks: Callable[[], float]) -> None:
        self._fetch = fetch
        self._ticks = ticks
        self._lock = asyncio.Lock()
        self._value = ""
        self._renew_at = 0.0
        self._expires_at = 0.0

    async def get_token(self, rejected: str = "") -> str:
        """Returns a token other than `rejected`. Raises PortalDown, PortalRefused."""
        async with self._lock:
            now = self._ticks()
            valid = self._value if self._value != rejected and now < self._expires_at else ""
            if valid and now < self._renew_at:
                return valid
            try:
                self._store(await self._fetch(), now)
            except PortalDown:
                if not valid:
                    raise
                self._renew_at = now + _RETRY_S
            return self._value

    def _store(self, body: Mapping[str, Any], now: float) -> None:
        lifetime = _lifetime(body)
        self._value = body["access_token"]
        self._expires_at = now + lifetime
        self._renew_at = self._expires_at - min(max(_EARLY_SHARE * lifetime, _EARLY_S), _LATEST_SHARE * lifetime)


def _lifetime(body: Mapping[str, Any]) -> int:
    """Returns `expires_in` in seconds; 0 if it is invalid."""
    value = body.get("expires_in")
    text = str(value) if type(value) is int else value
    return min(int(text), _YEAR_S) if isinstance(text, str) and _SECONDS.fullmatch(text) else 0
