"""The connection pool of one upstream: limits, queue and requests (RFC 9112 9.3)."""

import asyncio
from collections.abc import Callable
from typing import Final

from relay.domain.fault import CONNECT_FAULTS, FAULTS, Fault, Refusal
from relay.domain.ports import RequestWriter, ResponseReceiver
from relay.infra.upstream.dialing import Dialer
from relay.infra.upstream.dials import Dials
from relay.infra.upstream.request import PoolRequest, RequestPool
from relay.infra.upstream.waiting import WaitingRequests
from relay.policy.quota.fair_share import ACTIVE_S
from relay.policy.quota.operator_shares import NO_LIMITS, OperatorLimits, OperatorShares
from relay.policy.upstream.adaptive_limit import AdaptiveLimit
from relay.policy.upstream.addresses import Addresses
from relay.policy.upstream.breaker import Breaker
from relay.wire.client import ClientConnection
from relay.wire.deadline_watch import DeadlineWatch

_MOST_AGE_S: Final = 300.0  # a connection is not used longer, so that changed DNS records take effect
_RETRY_S: Final = 1.0  # the Retry-After of an operator beyond its share
_FRESH_S: Final = 0.01  # a connection free for less is not checked for unread bytes; PERF: 0.6 us for a call
_NO_RESPONSE: Final = frozenset({*CONNECT_FAULTS, FAULTS["provider_reset"], FAULTS["provider_silent"]})


class ConnectionPool(RequestPool):
    """The connections to one upstream with one TLS identity.

    At most `concurrency` requests run at once and `queue` wait; more are refused, so that one slow institution
    never holds what others need. No operator takes all of either, nor more than its limit (`operators`).
    `is_adaptive`: fewer requests run at once while responses are slow. `has_breaker`: requests are refused while
    none gets a response. `may_retry`: a request may be sent a second time if the first connection was dead; False
    where calls change something. `requires_tran_id`: responses need x-api-tran-id; after one without it, each
    request has its own connection.
    """

    def __init__(
        self,
        dialer: Dialer,
        concurrency: int,
        queue: int,
        watch: DeadlineWatch,
        loop: asyncio.AbstractEventLoop,
        *,
        operators: OperatorLimits = NO_LIMITS,
        is_adaptive: bool = False,
    ) -> None:
        super().__init__(float(dialer.timeouts.first_byte_s), float(dialer.timeouts.total_s))
        self.loop = loop
        self._idle_s = dialer.timeouts.idle_s
        self._dialer = dialer
        self._concurrency = concurrency
        self._adaptive = AdaptiveLimit(concurrency) if is_adaptive else None
        self._permits = OperatorShares(concurrency, operators)
        self._scheduled = 0
        self._on_demand_at = float("-inf")
        self._waiting = WaitingRequests(queue, float(dialer.timeouts.queue_s), operators)
        self.on_wait: Callable[[], None] | None = None  # is called when a request begins to wait
        self._watch = watch
        self._addresses = Addresses(dialer.instance_count)
        self.connections: set[ClientConnection] = set()
        self._dials = Dials(dialer, self._addresses, loop, self.connections)
        self._breaker = Breaker()
        self._idle: list[list[ClientConnection]] = [[] for _ in range(dialer.instance_count)]
        self._next_instance = 0
        self._ending: list[tuple[ClientConnection | None, PoolRequest]] = []
        self._reuses = True
        self._is_retired = False
        self.has_breaker = True
        self.requires_tran_id = True

    def counts(self) -> dict[str, int]:
        """Returns the number of idle connections, of requests with a permit ("flying") and of waiting requests."""
        return {"idle": sum(map(len, self._idle)), "flying": self._permits.taken, "waiting": len(self._waiting)}

    def state(self) -> dict[str, int]:
        """Returns whether the breaker is open, the number of ejected addresses, and the calls allowed at once."""
        ejected = len(self._addresses.list_ejected())
        return {"breaker_open": int(self._breaker.is_open), "ejected": ejected, "limit": self._get_limit()}

    def resize(self, concurrency: int, queue: int) -> None:
        """Changes the limits. Waiting requests begin when they may; requests above a limit are completed."""
        self._concurrency = concurrency
        self._waiting.resize(queue)
        self._permits.resize(self._get_limit())
        if self._waiting:
            self._start_next(self.loop.time())

    def _get_limit(self) -> int:
        return self._concurrency if self._adaptive is None else min(self._concurrency, self._adaptive.limit)

    def send(
        self,
        write_request: RequestWriter,
        receiver: ResponseReceiver,
        operator: str = "",
        is_scheduled: bool = False,
    ) -> PoolRequest:
        """Sends a request, now or when a permit is free.

        Raises Refusal: breaker_open or provider_busy (50005), the latter if permits and queue are used up;
        operator_share (42901) if the operator has its share of both.
        """
        now = self.loop.time()
        if self._breaker.is_open and (wait_s := self._breaker.get_wait_s(now)):
            raise Refusal(FAULTS["breaker_open"], retry_after=wait_s)
        request = PoolRequest(self, write_request, receiver, now, operator, is_scheduled)
        if not is_scheduled:
            self._on_demand_at = now
        if (not is_scheduled or self._allows_scheduled(now)) and self._permits.take(operator):
            self._scheduled += is_scheduled
            self._start(request, now)
        else:
            self._wait(request)
        self._watch.add(request)
        return request

    def _allows_scheduled(self, now: float) -> bool:
        """Returns whether a scheduled transfer may begin: beside calls on demand only as many as permits are free."""
        return now - self._on_demand_at > ACTIVE_S or self._scheduled < self._permits.free

    def _wait(self, request: PoolRequest) -> None:
        more, held = len(self._ending), self._permits.taken_by(request.operator)
        has_place = self._waiting.add(request, more, held)
        if (
            not has_place
            and not request.is_scheduled
            and (displaced := self._waiting.find_displaced(request.operator, more)) is not None
        ):
            displaced.fail(FAULTS["queue_timeout"], "displaced")
            has_place = self._waiting.add(request, more, held)
        if has_place:
            if self.on_wait is not None:
                self.on_wait()
        elif self._waiting.is_full(more):
            raise Refusal(FAULTS["provider_busy"])
        else:
            raise Refusal(FAULTS["operator_share"], retry_after=_RETRY_S)

    def _start(self, request: PoolRequest, now: float) -> None:
        """Sends a request that has a permit to the next instance, over the connection used last or a new one.

        A connection with unread bytes has an unsolicited response or is being closed: it takes no request. One used
        just before is not checked: if it was closed, the request is sent again.
        """
        request.has_permit = True
        request.started_at = now
        if self._addresses.are_equal:
            instance = (self._next_instance + 1) % len(self._idle)
        else:
            instance = self._addresses.choose(self._next_instance, now)
        self._next_instance = instance
        if not self._send_on_idle(request, instance, now):
            self.dial(request)

    def _send_on_idle(self, request: PoolRequest, instance: int, now: float) -> bool:
        """Sends a request over an idle connection to an instance. Returns whether there was one."""
        idle = self._idle[instance]
        while idle:
            connection = idle.pop()
            if connection.may_carry(now):
                request.attempts += 1  # PERF: request.send_on, inlined
                request.connection = connection
                connection.send(request.write_request(instance), request)
                return True
            connection.close()
        return False

    def dial(self, request: PoolRequest) -> None:
        """Opens a new connection for a request, to the current instance or the next that accepts one.

        An idle connection to another instance is used before one is opened to an ejected or busy instance.
        """
        instance = self._next_instance
        if self._dials.is_busy(instance) or self._addresses.is_ejected(instance):
            now = self.loop.time()
            for other in range(len(self._idle)):
                if not self._addresses.is_ejected(other) and self._send_on_idle(request, other, now):
                    return
        self._dials.begin(request, instance)

    def cancel_dial(self, request: PoolRequest) -> None:
        """Opens no connection for a request any more."""
        self._dials.cancel(request)

    def record_failure(self, request: PoolRequest, fault: Fault) -> None:
        """Records a request without a response; its connection is not used again.

        A streamed response that took too long is no failure of the institution: its caller may have read it slowly.
        """
        if fault not in _NO_RESPONSE or not self.has_breaker or not request.has_permit:
            return
        if request.is_streamed and fault is FAULTS["provider_silent"]:
            return
        self._breaker.record_failure(self.loop.time())
        if request.connection is not None:
            self.record_failure_of(request.connection)

    def record_failure_of(self, connection: ClientConnection) -> None:
        """Records a connection that ended before its response."""
        if len(self._idle) > 1 and self._addresses.record_failure(connection.instance, self.loop.time()):
            self._dials.eject(connection.instance, "no_response")

    def stop_reuse(self, connection: ClientConnection | None) -> None:
        """Reuses no connection any more: an accepted response had no x-api-tran-id.

        The next response on the same connection could belong to any call.
        """
        if self.requires_tran_id:
            self._reuses = False
            self._close_idle()
            if connection is not None:
                connection.reusable = False

    def release(self, request: PoolRequest, connection: ClientConnection | None = None) -> None:
        """Releases an ended request. Its permit is free in the next turn of the loop.

        By then all bytes that came with the response are read; surplus bytes have closed the connection.
        """
        self._watch.discard(request)
        if request.has_permit:
            request.has_permit = False
            self._ending.append((connection, request))
            if len(self._ending) == 1:
                self.loop.call_soon(self._free_permits)
        else:
            self._waiting.remove(request)

    def _free_permits(self) -> None:
        """Frees the permits of ended requests, keeps or closes their connections, and starts waiting requests."""
        now = self.loop.time()
        ended, self._ending = self._ending, []
        for connection, request in ended:
            self._permits.release(request.operator)
            self._scheduled -= request.is_scheduled
            if connection is not None:
                if self._breaker.failures or self._addresses.has_failures:
                    self._record_success(connection, now)
                if self._adaptive is not None:
                    responded_at = request.first_byte_at or now  # the rest is as slow as the caller that reads it
                    if self._adaptive.record(responded_at - request.started_at, now):
                        self._permits.resize(self._get_limit())
                self._keep(connection, now)
        if self._waiting:
            self._start_next(now)

    def _record_success(self, connection: ClientConnection, now: float) -> None:
        self._breaker.record_success()
        if self._addresses.has_failures:
            self._addresses.record_success(connection.instance, now)

    def _keep(self, connection: ClientConnection, now: float) -> None:
        """Keeps a connection for the next request, or closes it."""
        is_old = now - connection.opened_at > _MOST_AGE_S
        if self._is_retired or is_old or not self._reuses or not connection.reusable:
            connection.close()
            return
        has_limit = connection.keep_alive is not None
        connection.idle_until = now + (self._dialer.idle_limit(connection) if has_limit else self._idle_s)
        connection.fresh_until = now + _FRESH_S if self.may_retry else now
        waiting = self._dials.take_waiting()
        if waiting is None:
            self._idle[connection.instance].append(connection)
        else:
            waiting.send_on(connection)

    def _add_idle(self, connection: ClientConnection) -> None:
        """Keeps the connection of a probe."""
        self._keep(connection, self.loop.time())

    def _start_next(self, now: float) -> None:
        """Starts waiting requests; no operator gets more permits than its share."""
        while request := self._waiting.take_next(self._permits, now, allows_scheduled=self._allows_scheduled(now)):
            self._permits.take(request.operator)
            self._scheduled += request.is_scheduled
            request.end_wait()
            self._start(request, now)

    def close_expired(self, now: float) -> None:
        """Closes connections that were idle too long, and probes ejected addresses."""
        self._dials.probe(now, self.connection_lost, self._add_idle)
        for idle in self._idle:
            for connection in [each for each in idle if now >= each.idle_until or not each.reusable]:
                idle.remove(connection)
                connection.close()

    def retire(self) -> None:
        """Keeps no connection any more. Requests in flight are completed."""
        self._is_retired = True
        self._dials.close()
        self._close_idle()

    def _close_idle(self) -> None:
        for idle in self._idle:
            for connection in idle:
                connection.close()
            idle.clear()

    def connection_lost(self, connection: ClientConnection) -> None:
        """Forgets a connection that has ended."""
        self.connections.discard(connection)
        if connection in self._idle[connection.instance]:
            self._idle[connection.instance].remove(connection)
