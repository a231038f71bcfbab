"""The counts of the limits in Redis: one call asks for all that a gateway wants of rates and slots.

All keys have one hash tag, so that they are in one slot of a Redis Cluster, as a script demands.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from relay.infra.quota.gateway_names import find_ended
from relay.infra.redis_client import close_redis_client
from relay.policy.quota.leases import LeaseReply, LeaseRequest
from relay.policy.quota.slots import SlotRequest

SILENT_S: Final = 0.5
"""A gateway that did not call for so long may count by itself: its part of each rate is left to it."""

KEPT_S: Final = 3.0
"""A gateway that did not call for so long keeps only its part of the slots that it held."""

FORGOTTEN_S: Final = 30.0
"""A gateway that did not call for so long has ended: the others share its part."""

CONNECT_S: Final = 1.0
"""How long a connection to the store may take, the question for the master included. No call waits for it."""

_READ_S: Final = 0.002
"""How long a reply that has come is read after the time limit."""

_TAG: Final = "relay:{quota}:"
_GATEWAYS: Final = (f"{_TAG}gateways", f"{_TAG}together")


@dataclass(frozen=True, slots=True)
class StoreReply:
    """What the store gave: a lease for each rate, a number of slots for each institution.

    `gateways` is how many gateways share them, `known` how many of these the store knows.
    """

    gateways: int
    known: int
    leases: Sequence[LeaseReply]
    slots: Sequence[int]


class QuotaStore:
    """Asks Redis as the gateway `name`. Each call ends within `timeout_s`; `connect` takes no more than CONNECT_S."""

    def __init__(self, redis: Redis, name: str, timeout_s: float) -> None:
        self._redis = redis
        self._name = name
        self._timeout_s = timeout_s
        self._script = files(__package__).joinpath("lease.lua").read_text(encoding="utf-8")
        self._digest = sha1(self._script.encode(), usedforsecurity=False).hexdigest()

    async def connect(self) -> None:
        """Opens a connection. Raises RedisError, OSError, TimeoutError.

        It removes crashed gateways of this machine: their parts would be left to them until they are forgotten.
        """
        async with asyncio.timeout(CONNECT_S):
            seconds, microseconds = await self._redis.time()
            now = float(seconds) + float(microseconds) / 1e6
            calls: Any = await self._redis.zrangebyscore(_GATEWAYS[0], "-inf", "+inf", withscores=True)
            silent_s = {_decode(name): now - called_at for name, called_at in calls}
            ended = find_ended(silent_s, self._name)
            for key in _GATEWAYS if ended else ():
                await self._redis.zrem(key, *ended)

    async def lease(
        self,
        rates: Sequence[LeaseRequest],
        institutions: Sequence[SlotRequest] = (),
        *,
        is_alone: bool = False,
        gateways: int = 0,
    ) -> StoreReply:
        """Asks for requests and slots. Raises RedisError, OSError, TimeoutError; then they may be counted or not.

        A gateway that `is_alone` counts by itself: the store leaves it its part of each rate. `gateways` shared them
        before an outage: the store may have lost them.
        """
        keys = [*_GATEWAYS, *(_TAG + request.limit.key for request in rates)]
        keys += [f"{_TAG}slots:{request.org_code}" for request in institutions]
        arguments: list[str | float] = [
            self._name,
            "alone" if is_alone else "together",
            SILENT_S,
            FORGOTTEN_S,
            gateways,
        ]
        for request in rates:
            limit, rate = request.limit, request.limit.rate
            kind = f"fair:{limit.is_scheduled:d}:{limit.weight:f}:{limit.operator}" if limit.is_fair else "rate"
            arguments += (kind, rate.per_second, rate.burst, request.wanted, request.debt, int(request.is_lowered))
        for each in institutions:
            arguments += ("slots", each.concurrency, each.in_use, each.wanted, KEPT_S, 0)
        gateways, known, *rest = map(int, await self._call(keys, arguments))
        replies = list(zip(rest[::3], rest[1::3], rest[2::3], strict=True))
        leases = [LeaseReply(permits, wait_us / 1e6, level / 1000) for permits, wait_us, level in replies[: len(rates)]]
        return StoreReply(gateways, known, leases, [slots for slots, _, _ in replies[len(rates) :]])

    async def _call(self, keys: Sequence[str], arguments: Sequence[str | float]) -> Sequence[int]:
        """Runs the script. Raises TimeoutError if the reply does not come in time.

        If the event loop itself was late, the reply may be there and only be read next: this takes a turn more.
        """
        task = asyncio.ensure_future(self._run_script(keys, arguments))
        try:
            for limit_s in (self._timeout_s, _READ_S):
                await asyncio.wait((task,), timeout=limit_s)
                if task.done():
                    return task.result()
            raise TimeoutError
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))

    async def _run_script(self, keys: Sequence[str], arguments: Sequence[str | float]) -> Sequence[int]:
        try:
            values: Sequence[int] = await self._redis.evalsha(self._digest, len(keys), *keys, *arguments)
        except NoScriptError:  # after a restart or failover
            values = await self._redis.eval(self._script, len(keys), *keys, *arguments)
        return values

    async def leave(self, institutions: Sequence[SlotRequest] = ()) -> None:
        """Returns the slots, tells the others that this gateway has ended, and closes the client. Raises alike."""
        try:
            await self.lease((), institutions)
            async with asyncio.timeout(self._timeout_s):
                for key in _GATEWAYS:
                    await self._redis.zrem(key, self._name)
        finally:
            await close_redis_client(self._redis)

    async def reset(self) -> None:
        """Closes the connections, so that no late reply is read and a failover is followed."""
        await self._redis.connection_pool.disconnect()


def _decode(name: object) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
