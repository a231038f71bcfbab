"""The consents behind access tokens, asked of the ledger once and remembered until it says that they are over."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from relay.domain.authorization.consent import Consent, ConsentState
from relay.domain.authorization.grant import Grant, NotYet
from relay.domain.authorization.issued_tokens import TokenKind, TokenRecord, TokenState
from relay.domain.fault import FAULTS, Fault, Refusal
from relay.domain.ledger import GrantSource, Unreachable, WrongLedger
from relay.policy.call.withheld import fields_withheld
from relay.policy.consent.particulars import assets_of, told

_log = logging.getLogger(__name__)

FETCH_S: Final = 3.0
"""So long the ledger may take for a grant; a call waits no longer."""

_BREATH_S: Final = 0.05
"""Who is hurried still asks no more than 20 times a second: each question costs the gateway 1 to 4 ms."""

_UNREACHABLE_S: Final = 1.0
"""So long a failed look-up is not tried again."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What is remembered of a token that opens nothing; `until` is monotonic, None for good."""

    fault: Fault
    until: float | None = None


class RememberedGrants:
    """What a gateway knows of the ledger.

    `follow` hears of revocations; who holds a grant sees it revoked. While the ledger is silent for longer than
    `trust_s`, nothing is opened. The memory has two halves, as that of verified tokens has.
    """

    def __init__(
        self,
        source: GrantSource,
        industries: Callable[[str], str],
        most: int,
        trust_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._industry = industries
        self._half = max(1, most // 2)
        self._trust_s = trust_s
        self._clock = clock
        self._young: dict[str, Grant | Refused] = {}
        self._old: dict[str, Grant | Refused] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._revoked_meanwhile: set[str] = set()
        self._number = 0
        self._hurried = asyncio.Event()
        self._heard = clock()
        self.failures = 0
        self.is_wrong = False
        """Whether another ledger answers, or a server that is behind it."""

    @property
    def age(self) -> float:
        """Seconds since the ledger was heard last."""
        return self._clock() - self._heard

    def of(self, jti: str, now: float) -> Grant:
        """The grant of an access token at monotonic `now`. Raises Refusal, or NotYet. PERF: 0.2 us remembered."""
        found = self._young.get(jti)
        if found is None:
            found = self._old.pop(jti, None)
            if found is None:
                raise NotYet(jti)
            self._remember(jti, found)
        if isinstance(found, Refused):
            self._forget_in_time(jti, found, now)
            raise Refusal(found.fault)
        if now - self._heard > self._trust_s:
            raise Refusal(FAULTS["ledger_unreachable"])
        if found.revoked:
            raise Refusal(FAULTS["token_revoked"])
        return found

    async def start(self) -> None:
        """Note where revocations stand now. Raises what the ledger raises."""
        self._number = await self._source.revocation_head()
        self._heard = self._clock()

    async def follow(self, every: float, stop: asyncio.Event) -> None:
        """Hear of revocations each `every` seconds until `stop`; a question that was asked is waited for."""
        loop = asyncio.get_running_loop()
        asked = loop.time() - _BREATH_S
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurried.wait(), every)
            await asyncio.sleep(max(0.0, min(every, _BREATH_S) - (loop.time() - asked)))
            self._hurried.clear()
            asked = loop.time()
            try:
                async with asyncio.timeout(FETCH_S):
                    await self.hear()
            except Exception as error:  # whatever a driver raises: the ledger was not heard, which its log tells
                self.failures += 1
                self.is_wrong = isinstance(error, WrongLedger)
            else:
                self.failures, self.is_wrong = 0, False

    def hurry(self) -> None:
        """Ask at once: something was revoked, or it is time to stop."""
        self._hurried.set()

    async def settle(self) -> None:
        """Wait for what is being asked."""
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def hear(self) -> None:
        """Ask once what was revoked since."""
        began = self._clock()
        former = self._number
        self._number, revoked = await self._source.revoked_after(former)
        self._heard = began
        if self._number < former:  # an older ledger was brought back: what is remembered may never have been
            self._forget_all()
        self.revoke(revoked)

    def revoke(self, jtis: Iterable[str]) -> None:
        """Refuse these access tokens from now on: the ledger says that they are revoked, or the authority did it."""
        for jti in jtis:
            for half in (self._young, self._old):
                if isinstance(found := half.get(jti), Grant):
                    found.revoked = True
            if jti in self._asking:
                self._revoked_meanwhile.add(jti)

    def _forget_all(self) -> None:
        for known in (*self._young.values(), *self._old.values()):
            if isinstance(known, Grant):
                known.revoked = True  # calls that hold it end here; the next one asks anew
        self._young, self._old = {}, {}

    async def fetch(self, jti: str) -> None:
        """Ask for one grant, once for all who wait for it. Never raises."""
        task = self._asking.get(jti)
        if task is None:
            task = self._asking[jti] = asyncio.ensure_future(self._ask(jti))
        await asyncio.shield(task)

    async def _ask(self, jti: str) -> None:
        try:
            async with asyncio.timeout(FETCH_S):
                found = await self._source.consent_behind(jti)
            known = Refused(FAULTS["token_unknown"]) if found is None else self._grant(*found)
        except Exception as error:  # as above; the call must end all the same
            if not isinstance(error, Unreachable | TimeoutError):  # the ledger logs its outage by itself
                _log.warning("a grant could not be looked up (%s)", type(error).__name__)
            known = Refused(FAULTS["ledger_unreachable"], self._clock() + _UNREACHABLE_S)
        if jti in self._revoked_meanwhile:
            self._revoked_meanwhile.discard(jti)
            known = Refused(FAULTS["token_revoked"])
        del self._asking[jti]
        self._remember(jti, known)

    def _grant(self, record: TokenRecord, consent: Consent) -> Grant | Refused:
        if record.kind is not TokenKind.ACCESS:
            return Refused(FAULTS["token_unknown"])
        if record.state is not TokenState.LIVE or consent.state in {ConsentState.REVOKED, ConsentState.REPLACED}:
            return Refused(FAULTS["token_revoked"])
        particulars = consent.particulars
        return Grant(
            jti=record.jti,
            ends=float(particulars.ends_at),
            scheduled=particulars.is_scheduled,
            assets=assets_of(particulars),
            withheld=fields_withheld(particulars, self._industry(consent.provider)),
            told=told(particulars),
            ci=consent.ci.encode("ascii"),
        )

    def _remember(self, jti: str, known: Grant | Refused) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[jti] = known

    def _forget_in_time(self, jti: str, refused: Refused, now: float) -> None:
        if refused.until is not None and refused.until <= now:
            del self._young[jti]
            raise NotYet(jti)
