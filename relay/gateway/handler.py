"""The life of a call, on one page: from whole request to whole record."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ports import Counters, Keyring, Recorder, Upstream
from relay.gateway.forwarding import Forwarding
from relay.gateway.judge import judge
from relay.gateway.welcome import Welcome
from relay.policy import envelope
from relay.policy.plan import Institution, Plan
from relay.wire.head import Malformed, RequestHead, Wrong
from relay.wire.server import ServerConnection

_log = logging.getLogger(__name__)

Reach = Mapping[str, tuple[Upstream, tuple[envelope.Address, ...]]]
"""How each institution is reached, by org_code: its upstream, and its places as they are written in a request."""

_MALFORMED: Final = {
    Wrong.HEAD_MALFORMED: FAULTS["head_malformed"],
    Wrong.HEAD_TOO_LARGE: FAULTS["head_too_large"],
    Wrong.HEAD_TOO_SLOW: FAULTS["head_too_slow"],
    Wrong.TARGET_MALFORMED: FAULTS["target_malformed"],
    Wrong.METHOD_NOT_ALLOWED: FAULTS["method_not_allowed"],
    Wrong.BODY_TOO_LARGE: FAULTS["body_too_large"],
    Wrong.BODY_TOO_SLOW: FAULTS["body_too_slow"],
    Wrong.BODY_MALFORMED: FAULTS["head_malformed"],
}


class Gateway:
    """The data plane. Everything it decides by is in `plan`, swapped whole with the upstreams that belong to it."""

    def __init__(
        self,
        plan: Plan,
        upstreams: Reach,
        keyring: Keyring,
        counters: Counters,
        recorder: Recorder,
        welcome: Welcome,
        clock: Callable[[], float],
    ) -> None:
        self.swap(plan, upstreams, keyring)
        self._counters = counters
        self._record = recorder.record
        self._welcome = welcome
        self._clock = clock
        self.in_flight = 0
        self.draining = False

    def swap(self, plan: Plan, upstreams: Reach, keyring: Keyring) -> None:
        """Take a new plan. Calls in flight keep the old one."""
        self.plan = plan
        self._upstreams = upstreams
        self._keyring = keyring

    # the connection

    def connected(self, connection: ServerConnection) -> None:
        """Greet a connection: who it is, and whether there is room for it."""
        self._welcome.greet(connection)

    def disconnected(self, connection: ServerConnection) -> None:
        """Forget a connection."""
        self._welcome.part(connection)

    # the call

    def handle(self, connection: ServerConnection, head: RequestHead, body: bytes) -> None:
        """Judge a call and forward it, answer it, or refuse it."""
        exchange = Exchange(self._clock(), time.time())
        exchange.bytes_in = len(body)
        self.in_flight += 1
        if self.draining:
            connection.closing = True
        plan, card = self.plan, connection.card
        try:
            if card.plan is not plan:
                self._welcome.recognise(plan, card)
            exchange.operator = card.operator
            route, institution = judge(plan, self._keyring, self._counters, card.callers, head, body, exchange)
            if route.needs_token:
                self._forward(connection, institution, head, body, exchange)
            else:
                self._answer(connection, institution.apis, exchange)
        except Refusal as refusal:
            self._refuse(connection, refusal, head.headers.get(b"x-api-tran-id"), exchange)
        except Exception:  # a bug of ours must not take the other calls with it
            _log.exception("a call failed in the relay: %s %s", exchange.api_code, exchange.tran_id)
            self._refuse(connection, Refusal(FAULTS["relay_broken"]), head.headers.get(b"x-api-tran-id"), exchange)

    def malformed(self, connection: ServerConnection, error: Malformed) -> None:
        """Refuse what is no request; nothing of it reaches a provider."""
        exchange = Exchange(self._clock(), time.time())
        self.in_flight += 1
        exchange.operator = connection.card.operator
        self._welcome.complain(connection, error.wrong, exchange.started)
        self._refuse(connection, Refusal(_MALFORMED[error.wrong]), envelope.tran_id_in(error.raw), exchange)

    def _forward(
        self, connection: ServerConnection, institution: Institution, head: RequestHead, body: bytes, exchange: Exchange
    ) -> None:
        upstream, places = self._upstreams[institution.org_code]

        def request(place: int) -> bytes:
            return envelope.request(places[place], head.method, head.target, head.headers, exchange.client_id, body)

        forwarding = Forwarding(connection, exchange, head.headers[b"x-api-tran-id"], self._clock, self._close)
        exchange.asked = self._clock()
        forwarding.take_off(upstream.send(request, forwarding))

    def _answer(self, connection: ServerConnection, body: bytes, exchange: Exchange) -> None:
        exchange.status, exchange.rsp_code, exchange.bytes_out = 200, "00000", len(body)
        tran_id = exchange.tran_id.encode()
        connection.answer(envelope.answer_head(200, tran_id, {}, len(body), close=connection.closing) + body)
        self._close(exchange)

    def _refuse(
        self, connection: ServerConnection, refusal: Refusal, tran_id: bytes | None, exchange: Exchange
    ) -> None:
        fault = refusal.fault
        exchange.tran_id = exchange.tran_id or envelope.known_tran_id(tran_id)
        exchange.status, exchange.rsp_code, exchange.reason = fault.status, fault.rsp_code, fault.name
        connection.answer(envelope.refusal(refusal, envelope.echo(tran_id), close=connection.closing))
        self._close(exchange)

    def _close(self, exchange: Exchange) -> None:
        exchange.close(self._clock())
        self.in_flight -= 1
        self._record(exchange)
