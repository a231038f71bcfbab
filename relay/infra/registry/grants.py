"""A cache of the consents behind access tokens, invalidated by revocations of the ledger."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from relay.domain.authorization.consent import Consent, ConsentState
from relay.domain.authorization.digest import digest_text
from relay.domain.authorization.grant import Grant, NotCached
from relay.domain.authorization.issued_tokens import TokenKind, TokenRecord, TokenState
from relay.domain.fault import FAULTS, Fault, Refusal
from relay.domain.ledger import GrantSource, LedgerDown, WrongLedger
from relay.policy.call.assets import encode_assets
from relay.policy.call.withheld import get_withheld_fields
from relay.policy.consent.particulars import collect_assets, encode_particulars
from relay.primitives.event_wait import wait_for_event
from relay.primitives.shared_values import SharedValues
from relay.primitives.two_generations import TwoGenerationCache

_log = logging.getLogger(__name__)

FETCH_S: Final = 3.0
"""Timeout of the ledger for a grant; a call waits no longer."""

_POLL_PAUSE_S: Final = 0.05
"""Minimum time between two polls: each costs the gateway 1 to 4 ms."""

_UNREACHABLE_S: Final = 1.0
"""Time until a failed look-up is retried."""


@dataclass(frozen=True, slots=True)
class CachedRefusal:
    """A cached refusal of a token; `until` is monotonic, None for ever."""

    fault: Fault
    until: float | None = None


_UNKNOWN: Final = CachedRefusal(FAULTS["token_unknown"])
_REVOKED: Final = CachedRefusal(FAULTS["token_revoked"])

_DIGEST_BYTES: Final = 15
"""Bytes that name a consent. PERF: an object of 15 bytes takes 48, the id 96."""

_MAX_SHARED: Final = 60_000
"""Distinct consents, as 공통-002 answers them, of which one instance is shared: they differ in dates and purpose."""


class GrantCache:
    """Caches grants of access tokens.

    `follow` polls for revocations; holders of a grant see it revoked. While the ledger is silent for longer than
    `trust_s`, no token is accepted.
    """

    def __init__(
        self,
        source: GrantSource,
        industries: Callable[[str], str],
        max_tokens: int,
        trust_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._industry = industries
        self._clock = clock
        self._cache: TwoGenerationCache[str, Grant | CachedRefusal] = TwoGenerationCache(max_tokens, untracked=True)
        self._young, self._mask = self._cache.young, self._cache.mask
        self._shared = SharedValues(_MAX_SHARED)
        self._fetches: dict[str, asyncio.Task[None]] = {}
        self._revoked_meanwhile: set[str] = set()
        self._number = 0
        self._poll_now = asyncio.Event()
        self.trust_s = trust_s
        self._answered_at = clock()
        self.failures = 0
        self.is_wrong = False
        """Whether a different ledger answers, or a server that lags behind it."""

    @property
    def age(self) -> float:
        """Seconds since the last answer of the ledger."""
        return self._clock() - self._answered_at

    def get(self, jti: str, now: float) -> Grant:
        """Returns the grant of an access token at monotonic `now`. Raises Refusal, NotCached. PERF: 0.2 us cached."""
        known = self._young[hash(jti) & self._mask].get(jti)
        # PERF: the usual result of `_get_checked`, inlined
        if type(known) is Grant and not known.is_revoked and now - self._answered_at <= self.trust_s:
            return known
        return self._get_checked(jti, now)

    def _get_checked(self, jti: str, now: float) -> Grant:
        """Returns a grant after all checks. Raises Refusal, NotCached."""
        known = self._cache.get(jti)
        if known is None:
            raise NotCached(jti)
        if isinstance(known, CachedRefusal):
            self._expire(jti, known, now)
            raise Refusal(known.fault)
        if now - self._answered_at > self.trust_s:
            raise Refusal(FAULTS["ledger_unreachable"])
        if known.is_revoked:
            raise Refusal(FAULTS["token_revoked"])
        return known

    async def start(self) -> None:
        """Reads the current number of revocations. Raises errors of the ledger."""
        self._number = await self._source.get_revocation_head()
        self._answered_at = self._clock()

    async def follow(self, every: float, stop: asyncio.Event) -> None:
        """Polls for revocations each `every` seconds until `stop`; a started poll is awaited."""
        loop = asyncio.get_running_loop()
        polled_at = loop.time() - _POLL_PAUSE_S
        while not stop.is_set():
            await wait_for_event(self._poll_now, every)
            await asyncio.sleep(max(0.0, min(every, _POLL_PAUSE_S) - (loop.time() - polled_at)))
            self._poll_now.clear()
            polled_at = loop.time()
            try:
                async with asyncio.timeout(FETCH_S):
                    await self.poll()
            except Exception as error:  # any error of a driver; the ledger logs its outage itself
                self.failures += 1
                self.is_wrong = isinstance(error, WrongLedger)
            else:
                self.failures, self.is_wrong = 0, False

    def refresh_soon(self) -> None:
        """Polls at once: something was revoked, or the process stops."""
        self._poll_now.set()

    async def settle(self) -> None:
        """Waits for running look-ups."""
        await asyncio.gather(*self._fetches.values(), return_exceptions=True)

    async def poll(self) -> None:
        """Polls once for new revocations."""
        began = self._clock()
        former = self._number
        self._number, revoked = await self._source.list_revoked_after(former)
        self._answered_at = began
        if self._number < former:  # an older ledger was restored: cached grants may not exist in it
            self._revoke_all()
        self.revoke(revoked)

    def revoke(self, jtis: Iterable[str]) -> None:
        """Refuses these access tokens from now on: the ledger or the authority revoked them."""
        for jti in jtis:
            if isinstance(known := self._cache.peek(jti), Grant):
                known.is_revoked = True
            if jti in self._fetches:
                self._revoked_meanwhile.add(jti)

    def _revoke_all(self) -> None:
        for known in self._cache.values():
            if isinstance(known, Grant):
                known.is_revoked = True  # running calls end here; the next one asks again
        self._cache.clear()

    async def fetch(self, jti: str) -> None:
        """Fetches one grant, once for all waiting calls. Never raises."""
        task = self._fetches.get(jti)
        if task is None:
            task = self._fetches[jti] = asyncio.ensure_future(self._fetch(jti))
        await asyncio.shield(task)

    async def _fetch(self, jti: str) -> None:
        try:
            async with asyncio.timeout(FETCH_S):
                row = await self._source.find_token_and_consent(jti)
            known = _UNKNOWN if row is None else self._make_grant(jti, *row)
        except Exception as error:  # as above; the call must end
            if not isinstance(error, LedgerDown | TimeoutError):  # the ledger logs its outage itself
                _log.warning("grant not looked up: reason=%s", type(error).__name__)
            known = CachedRefusal(FAULTS["ledger_unreachable"], self._clock() + _UNREACHABLE_S)
        if jti in self._revoked_meanwhile:
            self._revoked_meanwhile.discard(jti)
            known = _REVOKED
        del self._fetches[jti]
        self._cache.put(jti, known)

    def _make_grant(self, jti: str, record: TokenRecord, consent: Consent) -> Grant | CachedRefusal:
        if record.kind is not TokenKind.ACCESS:
            return _UNKNOWN
        if record.state is not TokenState.LIVE or consent.state in {ConsentState.REVOKED, ConsentState.REPLACED}:
            return _REVOKED
        particulars, share = consent.particulars, self._shared.share
        assets = encode_assets(collect_assets(particulars))
        return Grant(
            jti=jti,  # the object that the claims hold
            consent=digest_text(consent.consent_id)[:_DIGEST_BYTES] if particulars.is_scheduled else b"",
            ends_at=share(float(particulars.ends_at)),
            is_scheduled=particulars.is_scheduled,
            assets=share(assets) if particulars.has_all_assets else assets,
            withheld=share(get_withheld_fields(particulars, self._industry(consent.provider))),
            particulars_body=share(encode_particulars(particulars)),
            ci=consent.ci.encode("ascii"),
        )

    def _expire(self, jti: str, refused: CachedRefusal, now: float) -> None:
        if refused.until is not None and refused.until <= now:
            self._cache.remove(jti)
            raise NotCached(jti)
