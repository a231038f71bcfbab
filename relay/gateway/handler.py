"""The life of a call, on one page: from the whole request to the closed exchange."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from relay.domain.api import SUCCESS
from relay.domain.authorization.grant import Grant, NotCached
from relay.domain.authorization.token import NotVerified
from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, MethodNotAllowed, Refusal
from relay.domain.ids import ApiType
from relay.domain.ports import AuthorityUpstream, Recorder, ResponseReceiver, Upstream
from relay.domain.quota import NotLeased
from relay.gateway.answer_tap import AnswerWatch, tap_answer
from relay.gateway.attribution import UNIDENTIFIED_TOKEN, RefusedCall, attribute_refused
from relay.gateway.authority_forwarder import AuthorityForwarder, get_dialect
from relay.gateway.body_filters import BodyFilters
from relay.gateway.caller_connection import CallerConnection, ConnectionInfo
from relay.gateway.connection_registry import ConnectionRegistry
from relay.gateway.dialect import DATA, OAUTH, Dialect
from relay.gateway.forwarding import Forwarding
from relay.gateway.judge import JudgeDependencies, Judgement, judge
from relay.gateway.pending_calls import PendingCall, PendingCalls
from relay.gateway.scheduled_response import PageWatcher, ScheduledResponse
from relay.gateway.withholding import Withholding
from relay.policy.call import envelope, oauth_envelope
from relay.policy.call.access import PEER_REFUSAL_CODES
from relay.policy.call.attribution import find_api_type
from relay.policy.call.institution_request import InstitutionRequest, RequestTemplate
from relay.policy.call.plan import Plan
from relay.policy.quota.overload import OVERLOAD_FAULTS
from relay.wire.head import HEAD_END, ProtocolError, RequestHead, Violation
from relay.wire.tls.errors import RecordsExceeded

_log = logging.getLogger(__name__)

UpstreamTable = Mapping[str, tuple[Upstream, tuple[RequestTemplate, ...]]]
"""The upstream of each institution by org_code, with the addresses of its instances as written in requests."""

_CONSENTS: Final = "CM02"
_SCHEDULED: Final = ApiType.SCHEDULED.value

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


_TARGET_FORM: Final = "규격의 경로와 퍼센트 인코딩한 쿼리(%00 제외)만 허용됩니다"


def _describe_limit(error: ProtocolError) -> str:
    """Returns the limit that a request exceeds or the form that its target must have, "" for none."""
    if error.violation is Violation.TARGET_MALFORMED:
        return _TARGET_FORM
    if error.max_headers:
        return f"헤더는 {error.max_headers}개까지"
    return f"{error.max_bytes}바이트까지" if error.max_bytes else ""


class Gateway:
    """The data plane. All decisions depend on `plan`, which is replaced as a whole together with its upstreams.

    `record` takes each closed exchange.
    """

    def __init__(  # noqa: PLR0913 - the ports of the gateway
        self,
        plan: Plan,
        upstreams: UpstreamTable,
        dependencies: JudgeDependencies,
        *,
        authority: AuthorityUpstream,
        answers: AnswerWatch,
        recorder: Recorder,
        connection_registry: ConnectionRegistry,
        clock: Callable[[], float],
    ) -> None:
        self.swap(plan, upstreams, dependencies)
        self._authority_forwarder = AuthorityForwarder(authority, connection_registry, clock, self._close)
        self._pending_calls = PendingCalls()
        self._filters = BodyFilters()
        self._answers = answers
        self.record = recorder.record
        self._connection_registry = connection_registry
        self._clock = clock
        self.in_flight = 0
        self._held_back = 0
        self.is_draining = False

    def swap(self, plan: Plan, upstreams: UpstreamTable, dependencies: JudgeDependencies) -> None:
        """Replaces the plan. Calls in flight keep the old one."""
        self.plan = plan
        self._upstreams = upstreams
        self._dependencies = dependencies

    @property
    def accepted(self) -> int:
        """Calls in flight without those that are refused for overload already and held back."""
        return self.in_flight - self._held_back

    # the connection

    def connection_made(self, connection: CallerConnection) -> None:
        """Registers a connection: identifies its peer and applies the limits of connections."""
        self._connection_registry.add(connection)

    def connection_lost(self, connection: CallerConnection, error: Exception | None) -> None:
        """Removes a connection; counts and logs one that was cut for a flood of TLS records."""
        self._connection_registry.remove(connection)
        if isinstance(error, RecordsExceeded):
            self._connection_registry.log_flood(connection.info.peer, self._clock())

    # the call

    def handle(self, connection: CallerConnection, head: RequestHead, body: bytes) -> None:
        """Judges a call, then forwards, answers or refuses it."""
        exchange = Exchange(self._clock(), time.time())
        exchange.bytes_in = len(body)
        self.in_flight += 1
        if self.is_draining:
            connection.will_close = True
        self._serve(connection, head, body, exchange)

    def _serve(self, connection: CallerConnection, head: RequestHead, body: bytes, exchange: Exchange) -> None:
        plan, info = self.plan, connection.info
        try:
            if head.path in plan.authority or head.path in plan.support:
                self._authority_forwarder.send(plan, self._dependencies, connection, head, body, exchange)
                return
            if info.plan is not plan:
                self._connection_registry.recognise(plan, info)
            exchange.operator = info.operator
            judgement = judge(plan, self._dependencies, info.callers, head, body, exchange)
            route, institution, grant, _ = judgement
            if grant is None:
                self._respond(connection, institution.api_list, exchange)
            elif route.api.api_code == _CONSENTS:
                self._respond(connection, grant.particulars_body, exchange)
            else:
                self._forward(connection, judgement, grant, head, body, exchange)
        except NotCached as missing:
            self._serve_after(self._dependencies.grants.fetch(missing.jti), connection, head, body, exchange)
        except NotVerified:
            self._serve_after(self._wait_turn(exchange), connection, head, body, exchange)
        except NotLeased:
            self._serve_after(self._dependencies.quotas.wait(), connection, head, body, exchange)
        except Refusal as refusal:
            self._handle_refusal(connection, refusal, head, body, exchange)
        except Exception:  # a bug of the relay must not end the other calls
            _log.exception("internal error in a call: api_code=%s tran_id=%s", exchange.api_code, exchange.tran_id)
            broken = Refusal(FAULTS["relay_broken"])
            self._refuse(connection, broken, head.headers.get(b"x-api-tran-id"), exchange, get_dialect(plan, head.path))

    def _handle_refusal(
        self, connection: CallerConnection, refusal: Refusal, head: RequestHead, body: bytes, exchange: Exchange
    ) -> None:
        """Attributes and refuses a call. In an overload no token waits for its turn, and the refusal is held back."""
        headers, text = head.headers, head.query + b"\n" + body
        token = None if refusal.fault.name in UNIDENTIFIED_TOKEN else headers.get(b"authorization")
        call = RefusedCall(head.path, text, token, headers.get(b"x-api-type"))
        is_overload = refusal.fault in OVERLOAD_FAULTS
        if not self._attribute(connection.info, call, exchange) and not is_overload:
            self._serve_after(self._wait_turn(exchange), connection, head, body, exchange)  # judge again later
            return
        tran_id, dialect = headers.get(b"x-api-tran-id"), get_dialect(self.plan, head.path)
        if not is_overload:
            self._refuse(connection, refusal, tran_id, exchange, dialect)
            return

        def refuse() -> None:
            connection.source = None
            self._held_back -= 1
            self._refuse(connection, refusal, tran_id, exchange, dialect)

        self._held_back += 1
        pending = self._add_pending(connection, exchange, is_held_back=True)
        self._pending_calls.add_delay(self._dependencies.overload.get_hold_s(), pending, refuse)

    def _wait_turn(self, exchange: Exchange) -> Awaitable[None]:
        """Returns what ends in the turn of the event loop in which the call's token may be verified."""
        return self._dependencies.token_verifier.wait_turn(exchange.operator)

    def _serve_after(
        self,
        preparation: Awaitable[None],
        connection: CallerConnection,
        head: RequestHead,
        body: bytes,
        exchange: Exchange,
    ) -> None:
        """Awaits grant, turn or lease, then judges the whole call again, since the plan may have changed."""

        def resume() -> None:
            connection.source = None
            exchange.grant_wait = self._clock() - exchange.started
            self._serve(connection, head, body, exchange)

        self._pending_calls.add(preparation, self._add_pending(connection, exchange), resume)

    def _add_pending(
        self, connection: CallerConnection, exchange: Exchange, *, is_held_back: bool = False
    ) -> PendingCall:
        """Makes the connection wait. The exchange is closed if its operator disconnects meanwhile."""

        def close() -> None:
            if is_held_back:
                self._held_back -= 1
            fault = FAULTS["operator_gone"]
            exchange.status, exchange.rsp_code, exchange.reason = fault.status, fault.rsp_code, fault.name
            self._close(exchange)

        connection.source = pending = PendingCall(close)
        return pending

    def protocol_error_received(self, connection: CallerConnection, error: ProtocolError) -> None:
        """Refuses a malformed request. No part of it reaches an institution."""
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
        connection: CallerConnection,
        judgement: Judgement,
        grant: Grant,
        head: RequestHead,
        body: bytes,
        exchange: Exchange,
    ) -> None:
        _, institution, _, transfer = judgement
        upstream, templates = self._upstreams[institution.org_code]
        withheld = grant.withheld and institution.select_withheld(exchange.api_code, grant.withheld)
        filters_body = bool(withheld) and institution.withholds
        request = InstitutionRequest(
            templates,
            head.method,
            head.target,
            head.headers,
            body,
            client_id=exchange.client_id,
            ci=grant.ci,
            withheld=withheld,
            is_filtered=filters_body,
            consent=(grant.consent.hex() or grant.jti) if institution.is_adapted else "",
        )
        tran_id, rules = head.headers[b"x-api-tran-id"], institution.rules[exchange.api_code]
        close, scheduled = self._close, None
        if transfer is not None:
            scheduled = ScheduledResponse(transfer, self._dependencies.transfers, connection, close)
            close = scheduled.close
        forwarding = Forwarding(connection, exchange, tran_id, self._clock, close, strict=institution.is_strict)
        forwarding.call = (rules, head, body)
        exchange.provider_started = self._clock()
        receiver: ResponseReceiver = forwarding
        if filters_body:
            receiver = Withholding(forwarding, withheld, self._filters)
        if scheduled is not None and rules.transfer is not None and rules.transfer.has_pages:
            receiver = scheduled.pages = PageWatcher(receiver)
        receiver = tap_answer(receiver, self._answers, institution, exchange, head, body)
        is_scheduled = exchange.api_type == _SCHEDULED
        try:
            forwarding.attach(upstream.send(request.write, receiver, exchange.operator, is_scheduled))
        except Refusal:  # the institution gets no call, so none counts
            call = exchange.operator, institution.org_code, exchange.client_id, is_scheduled
            self._dependencies.quotas.give_back(call)
            raise

    def _respond(self, connection: CallerConnection, body: bytes, exchange: Exchange) -> None:
        exchange.status, exchange.rsp_code, exchange.bytes_out = 200, SUCCESS, len(body)
        tran_id = exchange.tran_id.encode()
        connection.send_response(
            envelope.build_response_head(200, tran_id, {}, len(body), close=connection.will_close) + body
        )
        self._close(exchange)

    def _refuse(
        self,
        connection: CallerConnection,
        refusal: Refusal,
        tran_id: bytes | None,
        exchange: Exchange,
        dialect: Dialect,
        *,
        bodiless: bool = False,
    ) -> None:
        now = exchange.started + exchange.grant_wait
        wait = self._dependencies.refusals.take(connection.info, refusal.fault, now)
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

    def _attribute(self, info: ConnectionInfo, call: RefusedCall, exchange: Exchange) -> bool:
        """Attributes a refused call to operator and service (core 5.1), except calls of support APIs.

        Returns False if the call must wait until its token may be verified.
        """
        if call.path not in self.plan.support:
            verifier = self._dependencies.token_verifier
            try:
                attribute_refused(self.plan, self._connection_registry, verifier, info, call, exchange)
            except NotVerified:
                return False
        return True

    def _close(self, exchange: Exchange) -> None:
        exchange.close(self._clock())
        self.in_flight -= 1
        self.record(exchange)
