"""The life of a call, on one page: from the whole request to the closed exchange."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from relay.domain.authorization.grant import Grant, NotCached
from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, MethodNotAllowed, Refusal
from relay.domain.ports import AuthorityUpstream, Recorder, Upstream
from relay.gateway.attribution import RefusedCall, attribute_refused
from relay.gateway.authority_forwarder import AuthorityForwarder, get_dialect
from relay.gateway.body_filters import BodyFilters
from relay.gateway.connection_registry import ConnectionInfo, ConnectionRegistry
from relay.gateway.dialect import DATA, OAUTH, Dialect
from relay.gateway.forwarding import Forwarding
from relay.gateway.judge import JudgeServices, judge
from relay.gateway.pending_calls import PendingCall, PendingCalls
from relay.gateway.withholding import Withholding
from relay.policy.call import envelope, oauth_envelope
from relay.policy.call.access import PEER_REFUSAL_CODES
from relay.policy.call.attribution import find_api_type
from relay.policy.call.plan import Institution, Plan
from relay.policy.settings.scalars import Checking
from relay.wire.head import HEAD_END, ProtocolError, RequestHead, Violation
from relay.wire.server import ServerConnection
from relay.wire.tls_records import RecordsExceeded

_log = logging.getLogger(__name__)

UpstreamTable = Mapping[str, tuple[Upstream, tuple[envelope.RequestTemplate, ...]]]
"""The upstream of each institution by org_code, with the addresses of its instances as written in requests."""

_CONSENTS: Final = "CM02"

_MALFORMED: Final = {
    Violation.HEAD_MALFORMED: FAULTS["head_malformed"],
    Violation.HEAD_TOO_LARGE: FAULTS["head_too_large"],
    Violation.HEAD_TOO_SLOW: FAULTS["head_too_slow"],
    Violation.TARGET_MALFORMED: FAULTS["target_malformed"],
    Violation.METHOD_NOT_ALLOWED: FAULTS["method_not_allowed"],
    Violation.BODY_TOO_LARGE: FAULTS["body_too_large"],
    Violation.BODY_TOO_SLOW: FAULTS["body_too_slow"],
    Violation.BODY_MALFORMED: FAULTS["head_malformed"],
    Violation.BODY_OF_A_GET: FAULTS["body_of_a_get"],
}


def _describe_limit(error: ProtocolError) -> str:
    """Return the limit that a request exceeds, "" for none."""
    if error.headers:
        return f"헤더는 {error.headers}개까지"
    return f"{error.most}바이트까지" if error.most else ""


class Gateway:
    """The data plane. All decisions depend on `plan`, which is replaced as a whole together with its upstreams."""

    def __init__(
        self,
        plan: Plan,
        upstreams: UpstreamTable,
        authority: AuthorityUpstream,
        services: JudgeServices,
        recorder: Recorder,
        connection_registry: ConnectionRegistry,
        clock: Callable[[], float],
    ) -> None:
        self.swap(plan, upstreams, services)
        self._authority_forwarder = AuthorityForwarder(authority, connection_registry, clock, self._close)
        self._pending_calls = PendingCalls()
        self._filters = BodyFilters()
        self._record = recorder.record
        self._connection_registry = connection_registry
        self._clock = clock
        self.in_flight = 0
        self.is_draining = False

    def swap(self, plan: Plan, upstreams: UpstreamTable, services: JudgeServices) -> None:
        """Replace the plan. Calls in flight keep the old one."""
        self.plan = plan
        self._upstreams = upstreams
        self._services = services

    # the connection

    def connection_made(self, connection: ServerConnection) -> None:
        """Register a connection: identify its peer and apply the limits of connections."""
        self._connection_registry.add(connection)

    def connection_lost(self, connection: ServerConnection, error: Exception | None) -> None:
        """Remove a connection; count and log one that was cut for a flood of TLS records."""
        self._connection_registry.remove(connection)
        if isinstance(error, RecordsExceeded):
            self._connection_registry.log_flood(connection.info.peer, self._clock())

    # the call

    def handle(self, connection: ServerConnection, head: RequestHead, body: bytes) -> None:
        """Judge a call, then forward, answer or refuse it."""
        exchange = Exchange(self._clock(), time.time())
        exchange.bytes_in = len(body)
        self.in_flight += 1
        if self.is_draining:
            connection.will_close = True
        self._serve(connection, head, body, exchange)

    def _serve(self, connection: ServerConnection, head: RequestHead, body: bytes, exchange: Exchange) -> None:
        plan, info = self.plan, connection.info
        try:
            if head.path in plan.authority or head.path in plan.support:
                self._authority_forwarder.send(plan, self._services, connection, head, body, exchange)
                return
            if info.plan is not plan:
                self._connection_registry.recognise(plan, info)
            exchange.operator = info.operator
            route, institution, grant = judge(plan, self._services, info.callers, head, body, exchange)
            if grant is None:
                self._respond(connection, institution.api_list, exchange)
            elif route.api.api_code == _CONSENTS:
                self._respond(connection, grant.particulars_body, exchange)
            else:
                self._forward(connection, institution, grant, head, body, exchange)
        except NotCached as missing:
            self._fetch_grant(missing.jti, connection, head, body, exchange)
        except Refusal as refusal:
            headers, text = head.headers, head.query + b"\n" + body
            call = RefusedCall(head.path, text, headers.get(b"authorization"), headers.get(b"x-api-type"))
            self._attribute(connection.info, call, exchange)
            self._refuse(
                connection, refusal, head.headers.get(b"x-api-tran-id"), exchange, get_dialect(plan, head.path)
            )
        except Exception:  # a bug of the relay must not end the other calls
            _log.exception("internal error in a call: api_code=%s tran_id=%s", exchange.api_code, exchange.tran_id)
            broken = Refusal(FAULTS["relay_broken"])
            self._refuse(connection, broken, head.headers.get(b"x-api-tran-id"), exchange, get_dialect(plan, head.path))

    def _fetch_grant(
        self, jti: str, connection: ServerConnection, head: RequestHead, body: bytes, exchange: Exchange
    ) -> None:
        """Fetch the grant from the ledger, then judge the whole call again, since the plan may have changed."""

        def resume() -> None:
            connection.source = None
            exchange.grant_wait = self._clock() - exchange.started
            self._serve(connection, head, body, exchange)

        def close() -> None:
            fault = FAULTS["operator_gone"]
            exchange.status, exchange.rsp_code, exchange.reason = fault.status, fault.rsp_code, fault.name
            self._close(exchange)

        connection.source = pending = PendingCall(close)
        self._pending_calls.add(self._services.grants.fetch(jti), pending, resume)

    def protocol_error_received(self, connection: ServerConnection, error: ProtocolError) -> None:
        """Refuse a malformed request. No part of it reaches an institution."""
        exchange = Exchange(self._clock(), time.time())
        self.in_flight += 1
        exchange.operator = connection.info.operator
        self._connection_registry.log_malformed(connection, error.violation, exchange.started)
        dialect = OAUTH if oauth_envelope.is_oauth_request(error.raw) else DATA
        method, path = envelope.find_request_line(error.raw)
        refusal = Refusal(_MALFORMED[error.violation], _describe_limit(error))
        if error.violation is Violation.METHOD_NOT_ALLOWED:
            refusal = MethodNotAllowed(self.plan.get_method(path))
        self._attribute(connection.info, RefusedCall(path, error.raw, api_type=find_api_type(error.raw)), exchange)
        self._refuse(
            connection, refusal, envelope.find_tran_id(error.raw), exchange, dialect, bodiless=method == b"HEAD"
        )

    def _forward(
        self,
        connection: ServerConnection,
        institution: Institution,
        grant: Grant,
        head: RequestHead,
        body: bytes,
        exchange: Exchange,
    ) -> None:
        upstream, addresses = self._upstreams[institution.org_code]
        withheld = grant.withheld and institution.select_withheld(exchange.api_code, grant.withheld)
        filters_body = bool(withheld) and institution.withholds
        about = envelope.CallContext(exchange.client_id, grant.ci, withheld, is_filtered=filters_body)

        def write_request(instance: int) -> bytes:
            return envelope.build_request(addresses[instance], head.method, head.target, head.headers, about, body)

        strict = institution.checking is Checking.STRICT
        tran_id = head.headers[b"x-api-tran-id"]
        forwarding = Forwarding(connection, exchange, tran_id, self._clock, self._close, strict=strict)
        forwarding.call = (institution.rules[exchange.api_code], head, body)
        exchange.provider_started = self._clock()
        receiver = Withholding(forwarding, withheld, self._filters) if filters_body else forwarding
        forwarding.attach(upstream.send(write_request, receiver, exchange.operator))

    def _respond(self, connection: ServerConnection, body: bytes, exchange: Exchange) -> None:
        exchange.status, exchange.rsp_code, exchange.bytes_out = 200, "00000", len(body)
        tran_id = exchange.tran_id.encode()
        connection.send_response(
            envelope.build_response_head(200, tran_id, {}, len(body), close=connection.will_close) + body
        )
        self._close(exchange)

    def _refuse(
        self,
        connection: ServerConnection,
        refusal: Refusal,
        tran_id: bytes | None,
        exchange: Exchange,
        dialect: Dialect,
        *,
        bodiless: bool = False,
    ) -> None:
        now = exchange.started + exchange.grant_wait
        wait = self._services.refusals.take(connection.info, refusal.fault, now)
        if wait:
            self._connection_registry.log_refusals_exceeded(connection.info.peer, now)
            connection.close_after_response()
            refusal = Refusal(FAULTS["refusals_exceeded"], retry_after=wait)
        fault = refusal.fault
        exchange.tran_id = exchange.tran_id or envelope.parse_tran_id(tran_id)
        exchange.status, exchange.rsp_code, exchange.reason = dialect.status(fault), fault.rsp_code, fault.name
        exchange.error = dialect.error(fault)
        if fault.rsp_code in PEER_REFUSAL_CODES:
            exchange.detail = self.plan.callers.describe_peer(connection.info.peer)
        response = dialect.refusal(refusal, envelope.echo_tran_id(tran_id), close=connection.will_close)
        if bodiless:  # the client of a HEAD request would take a body for the next response (RFC 9110 9.3.2)
            response = response[: response.index(HEAD_END) + len(HEAD_END)]
        connection.send_response(response)
        self._close(exchange)

    def _attribute(self, info: ConnectionInfo, call: RefusedCall, exchange: Exchange) -> None:
        """Attribute a refused call to operator and service (core 5.1), except calls of support APIs."""
        if call.path not in self.plan.support:
            attribute_refused(self.plan, self._connection_registry, self._services.token_verifier, info, call, exchange)

    def _close(self, exchange: Exchange) -> None:
        exchange.close(self._clock())
        self.in_flight -= 1
        self._record(exchange)
