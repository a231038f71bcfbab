"""The way back: a provider's answer to the operator who asked, with back-pressure, cut where either side ends."""

from collections.abc import Callable, Mapping
from typing import Final

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Fault, Refusal
from relay.domain.ports import UpstreamRequest
from relay.gateway.dialect import DATA, Dialect
from relay.gateway.judge import is_usual
from relay.policy.answer.code import (
    HEAD_BYTES,
    NO_CODE,
    SUCCESS,
    begins_as_json,
    ends_as_json,
    is_json,
    is_plain_success,
)
from relay.policy.answer.end import AnswerEnd, end_of, is_complete
from relay.policy.call.plan import Rules
from relay.wire.head import RequestHead
from relay.wire.server import ServerConnection

_LAST_CHUNK: Final = b"0\r\n\r\n"
_TRAN_ID: Final = b"x-api-tran-id"
_REFUSALS: Final = range(400, 500)


class Forwarding:
    """One exchange between two connections: what the provider sends goes to the operator, and nothing else does.

    It is the receiver of the flight and the source of the operator's connection: a slow reader pauses the provider, a
    vanished one frees it at once. An answer that does not name its call is not taken when `strict`, nor over a
    connection that has carried another call: it could be that one's. `call` is what was asked, with the rules of its
    API: a 4xx without rsp_code is the operator's fault when the request was not what the standard asks for.
    """

    __slots__ = (
        "_chunked",
        "_clock",
        "_close",
        "_connection",
        "_dialect",
        "_done",
        "_end_of_body",
        "_exchange",
        "_flight",
        "_headers",
        "_lacks_code",
        "_paused",
        "_strict",
        "_tail",
        "_tran_id",
        "call",
    )

    def __init__(
        self,
        connection: ServerConnection,
        exchange: Exchange,
        tran_id: bytes,
        clock: Callable[[], float],
        close: Callable[[Exchange], None],
        dialect: Dialect = DATA,
        *,
        strict: bool = False,
    ) -> None:
        self._connection = connection
        self._exchange = exchange
        self._clock = clock
        self._close = close
        self._tran_id = tran_id
        self._dialect = dialect
        self._strict = strict
        self.call: tuple[Rules, RequestHead, bytes] | None = None
        self._flight: UpstreamRequest | None = None
        self._paused = False
        self._done = False

    @property
    def is_done(self) -> bool:
        """Whether the exchange is closed."""
        return self._done

    def attach(self, flight: UpstreamRequest) -> None:
        """Hold the flight, unless it has landed already; from now on the operator's fate is the flight's."""
        if not self._done:
            self._flight = flight
            self._connection.source = self

    # what the provider sends

    def takes(self, status: int, headers: Mapping[bytes, bytes]) -> bool:
        """Whether an answer with this head can be this call's. If not, the provider is freed and the operator told."""
        self._exchange.provider_status = status
        flaw = self._dialect.flaw_of(status, headers, self._tran_id)
        if flaw:
            self.give_up(self._fault_of(status), flaw)
            return False
        if _TRAN_ID not in headers and self._dialect is DATA and (self._strict or self._is_reused()):
            self.give_up(FAULTS["answer_unidentified"], "tran_id")
            return False
        return True

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Pass a whole answer on in one write."""
        exchange, connection = self._exchange, self._connection
        if self._dialect is DATA and is_plain_success(status, headers, body, self._tran_id):
            exchange.provider_status = exchange.status = status
            exchange.rsp_code = SUCCESS
        elif self._takes_whole(status, headers, body):
            exchange.status = status
            self._note(headers, body)
        else:
            return False
        exchange.provider_ended = self._clock()
        exchange.bytes_out = len(body)
        head = self._dialect.answer_head(status, self._tran_id, headers, len(body), close=connection.will_close)
        connection.send_response(head + body)
        self._end()
        return True

    def _takes_whole(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Whether a whole answer can be this call's. If not, the operator is told."""
        if not self.takes(status, headers):
            return False
        if not is_complete(headers, body):
            self.request_failed(FAULTS["provider_reset"], "json")
            return False
        if self._dialect is DATA and not is_json(headers, body):
            self.request_failed(self._fault_of(status), "json")
            return False
        return True

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Pass the begin of a large answer on."""
        self._headers: Mapping[bytes, bytes] = headers
        self._end_of_body: AnswerEnd | None = None
        self._tail = b""
        self._lacks_code = self._chunked = False
        if not self.takes(status, headers):
            return
        if self._dialect is DATA and not begins_as_json(headers, body):
            self.give_up(self._fault_of(status), "json")
            return
        self._end_of_body = end_of(headers)
        self._exchange.status = status
        self._dialect.note(self._exchange, headers, body)
        self._lacks_code = self._exchange.reason == NO_CODE
        self._exchange.reason = "" if self._lacks_code else self._exchange.reason
        self._chunked = length is None
        self._connection.write(
            self._dialect.answer_head(status, self._tran_id, headers, length, close=self._connection.will_close)
        )
        self.body_received(body)

    def _note(self, headers: Mapping[bytes, bytes], body: bytes) -> None:
        """Note what the answer says for the record, and whose fault a refusal without rsp_code is."""
        exchange = self._exchange
        self._dialect.note(exchange, headers, body)
        if exchange.reason == NO_CODE and exchange.status in _REFUSALS and not self._is_usual():
            exchange.reason = FAULTS["request_unusual"].name

    def _is_usual(self) -> bool:
        return self.call is None or is_usual(*self.call)

    def _fault_of(self, status: int) -> Fault:
        """Whose fault an answer is that cannot be taken."""
        unusual = status in _REFUSALS and not self._is_usual()
        return FAULTS["request_unusual" if unusual else "provider_broken"]

    def body_received(self, body: bytes) -> None:
        """Pass a part on. Nothing is no part: written as a chunk it would be the last one (RFC 9112 7.1)."""
        if not body:
            return
        self._exchange.bytes_out += len(body)
        self._tail = body[-HEAD_BYTES:] if len(body) >= HEAD_BYTES else (self._tail + body)[-HEAD_BYTES:]
        if self._end_of_body is not None:
            self._end_of_body.feed(body)
        if self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body)
        self._connection.write(body)

    def response_ended(self) -> None:
        """Pass the end on, if it is the end of the answer and not of its connection alone."""
        if self._end_of_body is not None and not self._end_of_body.is_whole:
            self.request_failed(FAULTS["provider_reset"], "json")
            return
        if self._dialect is DATA:
            if not ends_as_json(self._headers, self._tail):
                self.request_failed(FAULTS["provider_broken"], "json")
                return
            if self._lacks_code:
                self._note(self._headers, self._tail)
        self._exchange.provider_ended = self._clock()
        if self._chunked:
            self._connection.write(_LAST_CHUNK)
        self._connection.finish()
        self._end()

    def request_failed(self, fault: Fault, detail: str = "") -> None:
        """Tell the operator, or cut the answer that was begun: half of one must never look whole."""
        exchange, connection, fault = self._exchange, self._connection, self._dialect.fault(fault)
        if self._done:
            return
        exchange.detail = detail
        if exchange.status:
            slow = self._paused and fault is FAULTS["provider_silent"]
            exchange.reason = "operator_slow" if slow else fault.name
            exchange.rsp_code = fault.rsp_code
            connection.abort()
        else:
            exchange.reason, exchange.rsp_code = fault.name, fault.rsp_code
            exchange.status, exchange.error = self._dialect.status(fault), self._dialect.error(fault)
            connection.send_response(self._dialect.refusal(Refusal(fault), self._tran_id, close=connection.will_close))
        self._end()

    def give_up(self, fault: Fault, detail: str) -> None:
        """Free the provider, whose answer is of no use, and tell the operator."""
        self._leave()
        self.request_failed(fault, detail)

    def unreadable(self, status: int, detail: str) -> None:
        """Take an answer with this status for none: it had to be read and could not be."""
        self._exchange.provider_status = status
        self.give_up(self._fault_of(status), detail)

    # what the operator's connection tells

    def pause(self) -> None:
        """Pause the provider."""
        self._paused = True
        if self._flight is not None:
            self._flight.pause()

    def resume(self) -> None:
        """Let the provider go on."""
        self._paused = False
        if self._flight is not None:
            self._flight.resume()

    def peer_disconnected(self) -> None:
        """Free the provider and record that nobody was left to answer to."""
        exchange = self._exchange
        if not self._done:
            self._leave()
            fault = FAULTS["operator_gone"]
            exchange.reason, exchange.rsp_code = fault.name, fault.rsp_code
            exchange.status = exchange.status or fault.status
            self._end()

    # the end

    def _is_reused(self) -> bool:
        return self._flight is not None and self._flight.is_reused

    def _leave(self) -> None:
        """Free the provider: nobody wants the rest of its answer."""
        if self._flight is not None:
            self._flight.cancel()

    def _end(self) -> None:
        """Close the exchange exactly once."""
        self._done = True
        flight, self._flight = self._flight, None
        if flight is not None:
            self._exchange.attempts = flight.attempts
            self._exchange.first_byte = flight.first_byte_at
        self._close(self._exchange)
