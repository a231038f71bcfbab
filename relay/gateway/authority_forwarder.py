"""The road to the authority: OAuth's endpoints for operators, the support APIs for the portal (규격 3.10, 5.2)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, MethodNotAllowed, Refusal
from relay.domain.ports import AuthorityUpstream
from relay.gateway.connection_registry import Card, Welcome
from relay.gateway.dialect import DATA, OAUTH, SUPPORT, Dialect
from relay.gateway.forwarding import Forwarding
from relay.gateway.judge import Judges
from relay.policy.call import envelope, oauth_envelope
from relay.policy.call.access import UNRECOGNISED, Caller, check_tran_id
from relay.policy.call.attribution import attribute
from relay.policy.call.plan import AUTHORITY, Plan
from relay.policy.settings.scalars import Checking
from relay.wire.head import RequestHead
from relay.wire.server import ServerConnection

_AUTHORIZE = b"/oauth/2.0/authorize"


def dialect_of(plan: Plan, path: bytes) -> Dialect:
    """The language of a path: tokens speak OAuth, served or not, 지원-102 to -104 rsp_codes, as do the data APIs."""
    if oauth_envelope.is_oauth(path):
        return OAUTH
    return SUPPORT if path in plan.support else DATA


class AuthorityForwarding(Forwarding):
    """An exchange with the authority: what it revoked is refused here before its answer is passed on."""

    __slots__ = ("_revoke",)

    def __init__(self, revoke: Callable[[Iterable[str]], None], *told: Any) -> None:
        super().__init__(*told)
        self._revoke = revoke

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Pass a whole answer on, after the tokens that it revoked."""
        self._revoke(oauth_envelope.revoked(headers))
        return super().response_received(status, headers, body)


class AuthorityForwarder:
    """Hands calls over to the authority, with who calls. `close` closes an exchange that has its answer."""

    def __init__(
        self,
        authority: AuthorityUpstream,
        welcome: Welcome,
        clock: Callable[[], float],
        close: Callable[[Exchange], None],
    ) -> None:
        self._authority = authority
        self._welcome = welcome
        self._clock = clock
        self._close = close

    def send(
        self,
        plan: Plan,
        judges: Judges,
        connection: ServerConnection,
        head: RequestHead,
        body: bytes,
        exchange: Exchange,
    ) -> None:
        """Hand a call over. `head.path` is of `plan.authority` or of `plan.support`. Raises Refusal."""
        headers, dialect = head.headers, dialect_of(plan, head.path)
        operators: tuple[str, ...]
        if head.path in plan.support:
            operators, fault = (_the_portal(plan, connection.card, head, exchange),), ""
        else:
            operators, fault = self._operators(plan, connection.card, head, exchange)
        passing = oauth_envelope.WITH_TOKEN if dialect is SUPPORT else oauth_envelope.WITH_CUSTOMER

        def request(_: int) -> bytes:
            return oauth_envelope.request(head.method, head.target, headers, operators, fault, body, passing)

        def closed(exchange: Exchange) -> None:
            """The authority may have revoked a token and its answer been lost: the ledger knows."""
            judges.grants.hurry()
            if (exchange.error or exchange.reason) and head.path in plan.authority:
                attribute(plan, connection.card.callers, head.path, head.query + b"\n" + body, exchange)
            self._close(exchange)

        tran_id = envelope.echo(headers.get(b"x-api-tran-id"))
        told = (connection, exchange, tran_id, self._clock, closed, dialect)
        forwarding = AuthorityForwarding(judges.grants.revoke, *told)
        try:
            caller = operators[0] if operators else ""
            judges.authority_quotas.take(caller, AUTHORITY, exchange.started)
            exchange.asked = self._clock()
            kind = oauth_envelope.kind_of(head.path, body)
            forwarding.attach(self._authority.send(request, forwarding, caller, kind))
        except Refusal as refusal:
            raise Refusal(oauth_envelope.ours(refusal.fault), retry_after=refusal.retry_after) from refusal

    def _operators(self, plan: Plan, card: Card, head: RequestHead, exchange: Exchange) -> tuple[tuple[str, ...], str]:
        """The org_codes that certificate and address may speak for, and "" or the name of what is wrong with them.

        The authority alone may redirect, so on authorize it also hears what is wrong with the caller.
        """
        _check_method(head, plan.authority[head.path])
        try:
            if card.plan is not plan:
                self._welcome.recognise(plan, card)
        except Refusal as refusal:
            if head.path != _AUTHORIZE or refusal.fault is FAULTS["connections_exceeded"]:
                raise
            if refusal.fault.rsp_code in UNRECOGNISED:
                exchange.detail = plan.callers.trace(card.peer)
            return (), refusal.fault.name
        exchange.operator = card.operator
        operators = tuple(caller.operator.org_code for caller in card.callers)
        try:
            _note_tran_id(plan, card.callers, head, exchange)
        except Refusal as refusal:
            if head.path != _AUTHORIZE:
                raise
            return operators, refusal.fault.name
        return operators, ""


def _the_portal(plan: Plan, card: Card, head: RequestHead, exchange: Exchange) -> str:
    """The portal's org_code, if it is the portal that calls (규격 3.1). Raises Refusal: 40103, 40102, 40501, 40002."""
    exchange.api_code = plan.support_codes[head.path]
    caller, *_ = plan.portal.recognise(card.peer)
    if card.excess:
        raise Refusal(FAULTS["connections_exceeded"])
    exchange.operator = caller.operator.org_code
    _check_method(head, plan.support[head.path])
    _note_tran_id(plan, (caller,), head, exchange)
    return exchange.operator


def _note_tran_id(plan: Plan, callers: tuple[Caller, ...], head: RequestHead, exchange: Exchange) -> None:
    """Note a 거래고유번호 of one of `callers`. Raises Refusal (40002)."""
    exchange.tran_id = envelope.valid_tran_id(head.headers.get(b"x-api-tran-id"))
    if plan.checking is Checking.STRICT:
        check_tran_id(exchange.tran_id, callers)


def _check_method(head: RequestHead, method: str) -> None:
    if head.method != method:
        raise MethodNotAllowed(method)
