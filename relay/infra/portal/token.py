"""The one token of 지원-001: for the relay and all its members, remembered, renewed before it ends."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from relay.domain.portal import PortalAway

_LIFE: Final = re.compile(r"[0-9]{1,9}")
_TOKEN: Final = re.compile(r"[!-~]{1,1500}")
_YEAR_S: Final = 366 * 86_400
"""No token is believed to last longer (core 5.1: a year at most)."""
_EARLY_SHARE: Final = 0.2
_EARLY_S: Final = 300.0
_LATEST_SHARE: Final = 0.5
_AGAIN_S: Final = 60.0


def lacks_token(body: Mapping[str, Any]) -> str:
    """What the answer of 지원-001 lacks, "" for nothing. Some write scope, some rsp_code (core 5.1): both are taken."""
    if str(body.get("token_type")).lower() != "bearer":
        return "token_type is not Bearer"
    token = body.get("access_token")
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        return "access_token is missing or malformed"
    if not _life(body):
        return "expires_in is missing or malformed"
    return "" if body.get("scope", "manage") == "manage" else "scope is not manage"


class Token:
    """Asks `fetch` for a token when there is none that will do; `ticks` are monotonic seconds.

    A token is renewed a fifth of its life before its end, five minutes before at least, but never in its first half.
    While it lives, a portal that gives no other is no reason to stop: it is asked again a minute later.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Mapping[str, Any]]], ticks: Callable[[], float]) -> None:
        self._fetch = fetch
        self._ticks = ticks
        self._lock = asyncio.Lock()
        self._value = ""
        self._renew_at = 0.0
        self._ends_at = 0.0

    async def current(self, spent: str = "") -> str:
        """A token other than `spent`, one that the portal did not take. Raises PortalAway, PortalRefused."""
        async with self._lock:
            now = self._ticks()
            good = self._value if self._value != spent and now < self._ends_at else ""
            if good and now < self._renew_at:
                return good
            try:
                self._keep(await self._fetch(), now)
            except PortalAway:
                if not good:
                    raise
                self._renew_at = now + _AGAIN_S
            return self._value

    def _keep(self, body: Mapping[str, Any], now: float) -> None:
        life = _life(body)
        self._value = body["access_token"]
        self._ends_at = now + life
        self._renew_at = self._ends_at - min(max(_EARLY_SHARE * life, _EARLY_S), _LATEST_SHARE * life)


def _life(body: Mapping[str, Any]) -> int:
    """expires_in in seconds; 0 when it is none."""
    value = body.get("expires_in")
    text = str(value) if type(value) is int else value
    return min(int(text), _YEAR_S) if isinstance(text, str) and _LIFE.fullmatch(text) else 0
