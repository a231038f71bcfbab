"""Forwards OAuth calls of operators and support API calls of the portal to the authority (규격 3.10, 5.2)."""

from collections.abc import Callable, Iterable, Mapping

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, MethodNotAllowed, Refusal
from relay.domain.ports import AuthorityUpstream
from relay.gateway.caller_connection import CallerConnection, ConnectionInfo
from relay.gateway.connection_registry import ConnectionRegistry
from relay.gateway.dialect import DATA, OAUTH, SUPPORT, Dialect
from relay.gateway.forwarding import Forwarding
from relay.gateway.judge import JudgeDependencies
from relay.policy.call import envelope, oauth_envelope
from relay.policy.call.access import PEER_REFUSAL_CODES, Caller, check_tran_id
from relay.policy.call.attribution import attribute_refusal
from relay.policy.call.plan import AUTHORITY_RATE_KEY, Plan
from relay.policy.settings.scalars import Checking
from relay.wire.head import RequestHead

_AUTHORIZE = b"/oauth/2.0/authorize"


def get_dialect(plan: Plan, path: bytes) -> Dialect:
    """Returns the dialect of a path: OAuth for tokens, known or not; else rsp_codes (지원-102 to -104, data APIs)."""
    if oauth_envelope.is_oauth_path(path):
        return OAUTH
    return SUPPORT if path in plan.support else DATA


class AuthorityForwarding(Forwarding):
    """Forwards a response of the authority. Tokens that it revoked are refused before the response is sent."""

    __slots__ = ("_revoke",)

    def __init__(
        self,
        revoke: Callable[[Iterable[str]], None],
        connection: CallerConnection,
        exchange: Exchange,
        tran_id: bytes,
        clock: Callable[[], float],
        close: Callable[[Exchange], None],
        dialect: Dialect,
    ) -> None:
        super().__init__(connection, exchange, tran_id, clock, close, dialect)
        self._revoke = revoke

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Revokes the tokens that the response names, then forwards it."""
        self._revoke(oauth_envelope.get_revoked_jtis(headers))
        return super().response_received(status, headers, body)


class AuthorityForwarder:
    """Forwards calls to the authority with the org_codes of the caller. `close` closes a finished exchange."""

    def __init__(
        self,
        authority: AuthorityUpstream,
        connection_registry: ConnectionRegistry,
        clock: Callable[[], float],
        close: Callable[[Exchange], None],
    ) -> None:
        self._authority = authority
        self._connection_registry = connection_registry
        self._clock = clock
        self._close = close

    def send(
        self,
        plan: Plan,
        dependencies: JudgeDependencies,
        connection: CallerConnection,
        head: RequestHead,
        body: bytes,
        exchange: Exchange,
    ) -> None:
        """Forwards a call. `head.path` is in `plan.authority` or `plan.support`. Raises Refusal."""
        headers, dialect = head.headers, get_dialect(plan, head.path)
        operators: tuple[str, ...]
        if head.path in plan.support:
            operators, fault = (_identify_portal(plan, connection.info, head, exchange),), ""
        else:
            operators, fault = self._identify_operators(plan, connection.info, head, exchange)
            if dependencies.overload.level:
                dependencies.overload.check(is_scheduled=False)
        allowed = oauth_envelope.SUPPORT_HEADERS if dialect is SUPPORT else oauth_envelope.OAUTH_HEADERS

        def write_request(_: int) -> bytes:
            return oauth_envelope.build_request(
                head.method, head.target, headers, operators=operators, fault=fault, body=body, allowed=allowed
            )

        def close(exchange: Exchange) -> None:
            """Closes the exchange. Queries the ledger: a token may be revoked although the response was lost."""
            dependencies.grants.refresh_soon()
            if (exchange.error or exchange.reason) and head.path in plan.authority:
                attribute_refusal(plan, connection.info.callers, head.path, head.query + b"\n" + body, exchange)
            self._close(exchange)

        tran_id = envelope.echo_tran_id(headers.get(b"x-api-tran-id"))
        forwarding = AuthorityForwarding(
            dependencies.grants.revoke, connection, exchange, tran_id, self._clock, close, dialect
        )
        try:
            caller = operators[0] if operators else ""
            dependencies.authority_quotas.take((caller, AUTHORITY_RATE_KEY, "", False), exchange.started)
            exchange.provider_started = self._clock()
            kind = oauth_envelope.classify_call(head.path, body)
            forwarding.attach(self._authority.send(write_request, forwarding, caller, kind))
        except Refusal as refusal:
            raise Refusal(oauth_envelope.to_relay_fault(refusal.fault), retry_after=refusal.retry_after) from refusal

    def _identify_operators(
        self, plan: Plan, info: ConnectionInfo, head: RequestHead, exchange: Exchange
    ) -> tuple[tuple[str, ...], str]:
        """Returns the org_codes of the caller's certificate and address, and the name of a fault or "".

        On authorize the authority also gets the caller's faults, since only the authority may redirect.
        """
        _check_method(head, plan.authority[head.path])
        try:
            if info.plan is not plan:
                self._connection_registry.recognise(plan, info)
        except Refusal as refusal:
            if head.path != _AUTHORIZE or refusal.fault is FAULTS["connections_exceeded"]:
                raise
            if refusal.fault.rsp_code in PEER_REFUSAL_CODES:
                exchange.detail = plan.callers.describe_peer(info.peer)
            return (), refusal.fault.name
        exchange.operator = info.operator
        operators = tuple(caller.operator.org_code for caller in info.callers)
        try:
            _record_tran_id(plan, info.callers, head, exchange)
        except Refusal as refusal:
            if head.path != _AUTHORIZE:
                raise
            return operators, refusal.fault.name
        return operators, ""


def _identify_portal(plan: Plan, info: ConnectionInfo, head: RequestHead, exchange: Exchange) -> str:
    """Returns the portal's org_code if the portal calls (규격 3.1). Raises Refusal: 40103, 40102, 40501, 40002."""
    exchange.api_code = plan.support_codes[head.path]
    caller, *_ = plan.portal.identify(info.peer)
    if info.is_excess:
        raise Refusal(FAULTS["connections_exceeded"])
    exchange.operator = caller.operator.org_code
    _check_method(head, plan.support[head.path])
    _record_tran_id(plan, (caller,), head, exchange)
    return exchange.operator


def _record_tran_id(plan: Plan, callers: tuple[Caller, ...], head: RequestHead, exchange: Exchange) -> None:
    """Records the 거래고유번호, which must be one of `callers`. Raises Refusal (40002)."""
    exchange.tran_id = envelope.require_tran_id(head.headers.get(b"x-api-tran-id"))
    if plan.checking is Checking.STRICT:
        check_tran_id(exchange.tran_id, callers)


def _check_method(head: RequestHead, method: str) -> None:
    if head.method != method:
        raise MethodNotAllowed(method)
