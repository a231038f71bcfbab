"""Quotas that all gateways share: leases from the store, and a count of its own while the store is unavailable."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from redis.exceptions import RedisError

from relay.domain.quota import CallKey
from relay.infra.diagnostics.outages import OutageLog
from relay.infra.quota.store import FORGOTTEN_S, StoreReply
from relay.policy.quota.lease_book import FormerGateways, LeaseBook
from relay.policy.quota.leases import LEASE_S, LeaseRequest
from relay.policy.quota.limits import LimitTable
from relay.policy.quota.slots import SlotBook, SlotRequest, SlotUser
from relay.primitives.event_wait import wait_for_event

HEARTBEAT_S: Final = 0.2
"""Longest time between two calls to the store: the others see by them that this gateway shares the rates."""

RETRY_S: Final = (0.05, 0.1, 0.2, 0.5)
"""Times between calls to a store that is unavailable; the last one repeats. No call of an operator waits for them."""

_COLLECT_S: Final = 0.02
"""How long requests that no call waits for are collected. PERF: one call to the store takes 0.25 ms."""

_MOST_DEBTS: Final = 500
"""Limits whose debts are sent at once: the store serves no other gateway meanwhile. 1 ms."""

_CALM_REPLIES: Final = 3
"""Replies in a row after which a store is used again."""

_MOST_LATE: Final = 3
"""Replies in a row that come after their leases have ended."""

_STORE_ERRORS: Final = (RedisError, OSError, TimeoutError, ValueError)


class Store(Protocol):
    """Leases requests for one gateway."""

    async def connect(self) -> None:
        """Opens a connection. Raises RedisError, OSError, TimeoutError."""

    async def lease(
        self,
        rates: Sequence[LeaseRequest],
        institutions: Sequence[SlotRequest] = (),
        *,
        is_alone: bool = False,
        gateways: int = 0,
    ) -> StoreReply:
        """Asks for requests and slots. Raises RedisError, OSError, TimeoutError, ValueError."""

    async def leave(self, institutions: Sequence[SlotRequest]) -> None:
        """Returns the slots, tells the others that this gateway has ended, and closes the client. Raises alike."""

    async def reset(self) -> None:
        """Closes the connections, so that no late reply is read."""


class SharedQuotaCounters:
    """Counts requests against quotas that all gateways share. `run` talks to the store.

    `gateways` is how many gateways at least share the rates while the store is unavailable.
    """

    def __init__(self, table: LimitTable, store: Store, gateways: int, clock: Callable[[], float]) -> None:
        self._wake, self._urgent, self._served = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._book = LeaseBook(table, gateways, self._wake.set)
        self._book.count_alone(clock())  # until the store has replied
        self._slots = SlotBook(self._hurry)
        self._store = store
        self._least_gateways = gateways
        self._clock = clock
        self._outages = OutageLog("quota store", clock)
        self._failures = 0
        self._late = 0
        self._known = 0
        self._former = FormerGateways(FORGOTTEN_S)

    def gauges(self) -> dict[str, float]:
        """Returns the metrics of the store and of the gateways that share it."""
        return {"relay_quota_alone": self._book.is_alone, "relay_quota_gateways": self._book.gateways}

    def adjust(self, table: LimitTable) -> None:
        """Applies new rates. Counted requests stay counted; a raised rate applies at once."""
        self._book.adjust(table)

    def take(self, call: CallKey, now: float) -> None:
        """Counts one request. Raises Refusal (42901), and NotLeased if the call must `wait` and be judged again."""
        self._book.take(call, now)

    def give_back(self, call: CallKey) -> None:
        """Takes back the request that was counted just before."""
        self._book.give_back(call)

    def share_slots(self, users: Iterable[tuple[str, int, SlotUser]]) -> None:
        """Shares the slots of these institutions with the other gateways: org_code, `concurrency`, user."""
        self._slots.replace(users)
        if self._book.is_alone and self._failures:
            self._slots.count_alone(self._book.gateways)

    async def wait(self) -> None:
        """Waits until the store was asked for what calls wait for; not while it is unavailable. Never raises."""
        if not self._book.is_alone:
            self._hurry()
            await self._served.wait()

    def _hurry(self) -> None:
        self._urgent.set()
        self._wake.set()

    async def run(self) -> None:
        """Asks the store until cancelled. At the end the other gateways learn that this one shares no more.

        Between two questions the calls that waited for the first take what was leased for them.
        """
        try:
            while True:
                await wait_for_event(self._wake, min(HEARTBEAT_S, self._slots.interval_s))
                if not self._urgent.is_set():
                    await wait_for_event(self._urgent, _COLLECT_S)
                await self._ask()
                await asyncio.sleep(RETRY_S[min(self._failures, len(RETRY_S)) - 1] if self._book.is_alone else 0)
        finally:
            self._book.count_alone(self._clock())  # a call that still comes waits for nothing
            self._served.set()
            with suppress(*_STORE_ERRORS):
                await self._store.leave(self._slots.build_return())

    async def start(self) -> None:
        """Asks the store for the first time. Without it this gateway begins by itself. Never raises."""
        await self._ask()

    async def _ask(self) -> None:
        """Asks the store once and lets waiting calls go on, whatever it replied."""
        self._wake.clear()
        self._urgent.clear()
        served, self._served = self._served, asyncio.Event()
        try:
            if self._book.is_alone:
                await self._return()
            else:
                await self._lease()
        except Exception as error:  # an unexpected one too: no call may wait for ever
            self._failures += 1
            self._book.gateways = max(self._book.gateways, self._least_gateways)
            self._book.count_alone(self._clock())
            served.set()  # closing a connection to a server that hangs may take a second
            self._served.set()  # calls that came meanwhile: so may the next question
            self._slots.count_alone(self._book.gateways)
            self._outages.record_failure(type(error).__name__)
            with suppress(*_STORE_ERRORS):
                await self._store.reset()
        finally:
            served.set()

    async def _lease(self) -> None:
        """Asks for what is wanted. Raises TimeoutError when replies are too late to be used again and again."""
        sent_at = self._clock()
        rates, slots = self._book.build_requests(sent_at), self._slots.build_requests(sent_at)
        expected = self._former.count(sent_at)
        reply = await self._store.lease(
            [request for _, request in rates], [request for _, request in slots], gateways=expected
        )
        now = self._clock()
        self._late = self._late + 1 if now - sent_at >= LEASE_S else 0
        if self._late >= _MOST_LATE:
            self._late = 0
            raise TimeoutError
        self._book.receive(rates, reply.leases, sent_at, now)
        self._slots.receive(slots, reply.slots, now)
        self._book.gateways = max(1, reply.gateways)
        self._failures, self._known = 0, reply.known
        self._outages.record_success()

    async def _return(self) -> None:
        """Tells the store what was counted without it, then counts with it again.

        A store that does not reply several times in a row is left alone: it would be asked and left again and again.
        """
        await self._store.connect()
        for _ in range(_CALM_REPLIES):
            await self._store.lease((), is_alone=True)
        debts = self._book.build_debts(self._clock())
        reply = await self._store.lease(debts[:_MOST_DEBTS], is_alone=True)
        for first in range(_MOST_DEBTS, len(debts), _MOST_DEBTS):
            await self._store.lease(debts[first : first + _MOST_DEBTS], is_alone=True)
        now = self._clock()
        self._former.add(max(self._known, self._least_gateways) if self._known else 0, now)
        self._book.gateways = max(1, reply.gateways, self._former.count(now))
        self._book.count_together()
        self._hurry()
