"""Who leads among many instances: by the ledger alone, or by a lock in Redis with the ledger's fences."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from relay.domain.jobs import JobsBook, Term

_log = logging.getLogger(__name__)

_KEY: Final = "relay:leader"
_IF_OURS: Final = "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end "
_RENEW: Final = _IF_OURS + "return redis.call('pexpire', KEYS[1], ARGV[2])"
_GIVE_BACK: Final = _IF_OURS + "return redis.call('del', KEYS[1])"
ANSWER_S: Final = 2.0
"""A Redis that takes longer, or than a third of a term, is away."""


def redis_at(url: str) -> Redis:
    """Redis as leadership asks it. Its own retries would hide that it is away: 5 s for one question, as measured."""
    once = Retry(NoBackoff(), 0)
    return Redis.from_url(url, retry=once, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S)


class LedgerLeadership:
    """Leadership by a row of the ledger."""

    def __init__(self, book: JobsBook, holder: str, term_s: float, clock: Callable[[], float]) -> None:
        self._book = book
        self._holder = holder
        self._term_s = max(1, round(term_s))
        self._clock = clock

    async def campaign(self, now: int) -> Term | None:
        """Become leader or stay it; None while another one is. Raises what the ledger raises."""
        return await self._book.lead(self._holder, self._term_s, now)

    async def resign(self) -> None:
        """Let another one lead at once."""
        await self._book.yield_lead(self._holder, int(self._clock()))


class RedisLeadership:
    """Leadership by a key of Redis that runs out by itself; the fence, and the term that all can see, are the ledger's.

    Candidates ask Redis, only who holds its key writes into the ledger. A Redis that forgets its keys, or two that
    disagree after a failover, may name two leaders for a while: the ledger takes writes of the higher fence alone.
    While Redis is away the ledger decides by itself, so that losing Redis ends no term and keeps nobody from leading.
    """

    def __init__(self, redis: Redis, book: JobsBook, holder: str, term_s: float, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._book = book
        self._holder = holder
        self._term_s = max(1, round(term_s))
        self._clock = clock
        self._answer_s = min(ANSWER_S, term_s / 3)
        self._silent = False

    async def campaign(self, now: int) -> Term | None:
        """Become leader or stay it; None while another one is. Raises what the ledger raises."""
        try:
            async with asyncio.timeout(self._answer_s):
                kept = await self._redis.eval(_RENEW, 1, _KEY, self._holder, self._term_s * 1000)
                taken = kept or await self._redis.set(_KEY, self._holder, nx=True, px=self._term_s * 1000)
        except (RedisError, OSError, TimeoutError) as error:
            if not self._silent:
                _log.warning("redis does not answer (%s): the ledger tells who leads", type(error).__name__)
            self._silent = True
            return await self._book.lead(self._holder, self._term_s, now)
        self._silent = False
        if not taken:
            return None
        if kept:
            return await self._book.lead(self._holder, self._term_s, now)
        fence = await self._book.new_fence(self._holder, self._term_s, now)
        return Term(self._holder, fence, now + self._term_s)

    async def resign(self) -> None:
        """Let another one lead at once. Raises what the ledger raises."""
        try:
            async with asyncio.timeout(self._answer_s):
                await self._redis.eval(_GIVE_BACK, 1, _KEY, self._holder)
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("redis does not answer (%s): its key runs out by itself", type(error).__name__)
        await self._book.yield_lead(self._holder, int(self._clock()))
