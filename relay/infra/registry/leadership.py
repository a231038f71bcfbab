"""Leader election: by the ledger alone, or by a lock in Redis with the ledger's fences."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.domain.jobs import JobStore, Term
from relay.infra.diagnostics.outages import OutageLog
from relay.infra.redis_client import RESPONSE_S

_log = logging.getLogger(__name__)

_KEY: Final = "relay:leader"
_IF_OURS: Final = "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end "
_RENEW: Final = _IF_OURS + "return redis.call('pexpire', KEYS[1], ARGV[2])"
_RELEASE: Final = _IF_OURS + "return redis.call('del', KEYS[1])"


class LedgerLeadership:
    """Leader election by a row of the ledger."""

    def __init__(self, store: JobStore, holder: str, term_s: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._holder = holder
        self._term_s = max(1, round(term_s))
        self._clock = clock

    async def campaign(self, now: int) -> Term | None:
        """Becomes or stays leader; returns None while another instance leads. Raises errors of the ledger."""
        return await self._store.lead(self._holder, self._term_s, now)

    async def resign(self) -> None:
        """Lets another instance lead at once."""
        await self._store.release_lead(self._holder, int(self._clock()))


class RedisLeadership:
    """Leader election by a key of Redis with an expiry; the fence and the visible term are the ledger's.

    Candidates ask Redis, and only the holder of its key writes into the ledger. A Redis that loses its keys, or two
    that disagree after a failover, may name two leaders for a while: the ledger accepts only writes of the higher
    fence. While Redis is unavailable the ledger elects, so that losing Redis ends no term and blocks no leader.
    `response_s` is the timeout of Redis, a third of a term if that is shorter.
    """

    def __init__(self, redis: Redis, store: JobStore, holder: str, term_s: float, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._store = store
        self._holder = holder
        self._term_s = max(1, round(term_s))
        self._clock = clock
        self.response_s = min(RESPONSE_S, term_s / 3)
        self._outages = OutageLog("redis")

    async def campaign(self, now: int) -> Term | None:
        """Becomes or stays leader; returns None while another instance leads. Raises errors of the ledger.

        The holder of the key in Redis gets None too while the term of another instance runs in the ledger.
        """
        try:
            async with asyncio.timeout(self.response_s):
                is_renewed = await self._redis.eval(_RENEW, 1, _KEY, self._holder, self._term_s * 1000)
                is_leader = is_renewed or await self._redis.set(_KEY, self._holder, nx=True, px=self._term_s * 1000)
        except (RedisError, OSError, TimeoutError) as error:
            self._outages.record_failure(type(error).__name__)
            return await self._store.lead(self._holder, self._term_s, now)
        self._outages.record_success()
        if not is_leader:
            return None
        if is_renewed:
            return await self._store.lead(self._holder, self._term_s, now)
        fence = await self._store.take_lead(self._holder, self._term_s, now)
        return Term(self._holder, fence, now + self._term_s)

    async def resign(self) -> None:
        """Lets another instance lead at once. Raises errors of the ledger."""
        try:
            async with asyncio.timeout(self.response_s):
                await self._redis.eval(_RELEASE, 1, _KEY, self._holder)
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("leader key in redis not released, it expires: cause=%s", type(error).__name__)
        await self._store.release_lead(self._holder, int(self._clock()))
