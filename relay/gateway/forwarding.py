"""Forwards the response of an institution to the operator, with back-pressure and the failures of either side."""

from collections.abc import Callable, Mapping
from typing import Final

from relay.domain.api import SUCCESS
from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Fault, Refusal
from relay.domain.ports import UpstreamRequest
from relay.gateway.caller_connection import CallerConnection
from relay.gateway.dialect import DATA, Dialect, record_beginning, record_end
from relay.gateway.judge import is_usual
from relay.policy.call.plan import ApiRules
from relay.policy.response.completeness import EndDetector, build_end_detector, is_complete
from relay.policy.response.rsp_code import NO_CODE, begins_as_json, is_json, is_plain_success
from relay.policy.response.streamed_text import StreamedText
from relay.wire.head import RequestHead

_LAST_CHUNK: Final = b"0\r\n\r\n"
_TRAN_ID: Final = b"x-api-tran-id"
_REFUSALS: Final = range(400, 500)
_MALFORMED: Final = FAULTS["parameter_malformed"]


class Forwarding:
    """One exchange between two connections. Only bytes of the institution's response are forwarded.

    It receives the upstream response and is the source of the operator's connection: a slow reader pauses the
    upstream, a lost one frees it at once. A response without x-api-tran-id is refused if `strict`, or on a connection
    that has carried another call: it could belong to that one. `call` holds the request with the rules of its API: a
    4xx without rsp_code is the operator's fault if the request was not as the standard demands.
    """

    __slots__ = (
        "_clock",
        "_close",
        "_connection",
        "_dialect",
        "_end_of_body",
        "_exchange",
        "_is_done",
        "_lacks_code",
        "_last_part",
        "_length",
        "_paused",
        "_request",
        "_strict",
        "_text",
        "_tran_id",
        "call",
    )

    def __init__(
        self,
        connection: CallerConnection,
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
        self.call: tuple[ApiRules, RequestHead, bytes] | None = None
        self._request: UpstreamRequest | None = None
        self._last_part = b""
        self._paused = False
        self._is_done = False

    @property
    def is_done(self) -> bool:
        """Whether the exchange is closed."""
        return self._is_done

    def attach(self, request: UpstreamRequest) -> None:
        """Attaches the upstream request unless it has ended already. The operator's connection now controls it."""
        if not self._is_done:
            self._request = request
            self._connection.source = self

    # the upstream response

    def accepts(self, status: int, headers: Mapping[bytes, bytes]) -> bool:
        """Returns whether the head can belong to this call. If not, free the upstream and refuse the call."""
        self._exchange.provider_status = status
        flaw = self._dialect.find_flaw(status, headers, self._tran_id)
        if flaw:
            self.reject(self._get_fault(status), flaw)
            return False
        if _TRAN_ID not in headers and self._dialect is DATA and (self._strict or self._is_reused()):
            self.reject(FAULTS["answer_unidentified"], "tran_id")
            return False
        return True

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Forwards a whole response in one write."""
        exchange, connection = self._exchange, self._connection
        exchange.provider_ended = self._clock()  # before any refusal: it is the time of the first byte, too
        if self._dialect is DATA and is_plain_success(status, headers, body, self._tran_id):
            exchange.provider_status = exchange.status = status
            exchange.rsp_code = SUCCESS
        elif self._accepts_whole(status, headers, body):
            exchange.status = status
            self._record(headers, body)
        else:
            return False
        exchange.bytes_out = len(body)
        head = self._dialect.response_head(status, self._tran_id, headers, len(body), close=connection.will_close)
        connection.send_response(head + body)
        self._close_exchange()
        return True

    def _accepts_whole(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Returns whether a whole response can belong to this call. If not, refuse the call."""
        if not self.accepts(status, headers):
            return False
        if not is_complete(headers, body):
            self.request_failed(FAULTS["provider_reset"], "json")
            return False
        if self._dialect is DATA and not is_json(headers, body):
            self.request_failed(self._get_fault(status), "json")
            return False
        return True

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Forwards the head of a large response and the beginning of its body."""
        self._end_of_body: EndDetector | None = None
        self._text: StreamedText | None = None
        self._lacks_code = False
        self._length = length
        if not self.accepts(status, headers):
            return
        if self._dialect is DATA and not begins_as_json(headers, body):
            self.reject(self._get_fault(status), "json")
            return
        self._end_of_body = build_end_detector(headers)
        self._exchange.status = status
        if self._dialect is DATA:
            self._text = StreamedText(headers)
            record_beginning(self._exchange, headers, body)
            self._lacks_code = self._exchange.reason == NO_CODE
            self._exchange.reason = "" if self._lacks_code else self._exchange.reason
        else:
            self._dialect.record(self._exchange, headers, body)
        self._connection.write(
            self._dialect.response_head(status, self._tran_id, headers, length, close=self._connection.will_close)
        )
        self.body_received(body)

    def _record(self, headers: Mapping[bytes, bytes], body: bytes) -> None:
        """Records the result, and who is at fault for a 4xx without rsp_code."""
        self._dialect.record(self._exchange, headers, body)
        self._blame_request()

    def _blame_request(self) -> None:
        """Records a 4xx without rsp_code as the operator's fault if its request was unusual."""
        exchange = self._exchange
        if exchange.reason == NO_CODE and exchange.status in _REFUSALS and not self._is_usual():
            exchange.reason = FAULTS["request_unusual"].name

    def _is_usual(self) -> bool:
        return self.call is None or is_usual(*self.call)

    def _get_fault(self, status: int) -> Fault:
        """Returns the fault of an invalid response: the operator's or the institution's."""
        unusual = status in _REFUSALS and not self._is_usual()
        return FAULTS["request_unusual" if unusual else "provider_broken"]

    def body_received(self, body: bytes) -> None:
        """Forwards a part, but the last one of a known length only with the end: until then no body looks complete.

        An empty part is skipped: as a chunk it would be the last one (RFC 9112 7.1).
        """
        if not body:
            return
        self._exchange.bytes_out += len(body)
        if self._text is not None:
            self._text.feed(body)
        if self._end_of_body is not None:
            self._end_of_body.feed(body)
        if self._length is None:
            body = b"%x\r\n%b\r\n" % (len(body), body)
        elif self._exchange.bytes_out >= self._length:
            self._last_part = body
            return
        self._connection.write(body)

    def response_ended(self) -> None:
        """Forwards the end if the body is complete; otherwise only the connection has ended."""
        if self._end_of_body is not None and not self._end_of_body.is_complete:
            self.request_failed(FAULTS["provider_reset"], "json")
            return
        if self._text is not None:
            if not self._text.ends_as_json:
                self.request_failed(FAULTS["provider_broken"], "json")
                return
            record_end(self._exchange, self._text, lacks_code=self._lacks_code)
            self._blame_request()
        self._exchange.provider_ended = self._clock()
        self._connection.source = None  # nothing is left to pause: the upstream's connection carries another call soon
        self._connection.write(_LAST_CHUNK if self._length is None else self._last_part)
        self._connection.finish()
        self._close_exchange()

    def request_failed(self, fault: Fault, detail: str = "") -> None:
        """Refuses the call, or cuts a response that was partly sent: it must not look complete."""
        exchange, connection, fault = self._exchange, self._connection, self._dialect.fault(fault)
        if self._is_done:
            return
        exchange.detail = detail
        if exchange.status:
            exchange.bytes_out -= len(self._last_part)
            slow = self._paused and fault is FAULTS["provider_silent"]
            exchange.reason = "operator_slow" if slow else fault.name
            exchange.rsp_code = fault.rsp_code
            connection.abort()
        else:
            exchange.reason, exchange.rsp_code = fault.name, fault.rsp_code
            exchange.status, exchange.error = self._dialect.status(fault), self._dialect.error(fault)
            refusal = Refusal(fault, detail if fault is _MALFORMED else "")  # of the adapter, which names the parameter
            connection.send_response(self._dialect.refusal(refusal, self._tran_id, close=connection.will_close))
        self._close_exchange()

    def reject(self, fault: Fault, detail: str) -> None:
        """Cancels the upstream request, whose response is useless, and refuses the call."""
        self._cancel_request()
        self.request_failed(fault, detail)

    def reject_unreadable(self, status: int, detail: str) -> None:
        """Rejects a response that must be parsed and cannot be."""
        self._exchange.provider_status = status
        self.reject(self._get_fault(status), detail)

    # the operator's connection

    def pause(self) -> None:
        """Pauses the upstream."""
        self._paused = True
        if self._request is not None:
            self._request.pause()

    def resume(self) -> None:
        """Resumes the upstream."""
        self._paused = False
        if self._request is not None:
            self._request.resume()

    def peer_disconnected(self) -> None:
        """Frees the upstream and records that the operator has disconnected."""
        exchange = self._exchange
        if not self._is_done:
            self._cancel_request()
            fault = FAULTS["operator_gone"]
            exchange.reason, exchange.rsp_code = fault.name, fault.rsp_code
            exchange.status = exchange.status or fault.status
            self._close_exchange()

    # the end

    def _is_reused(self) -> bool:
        return self._request is not None and self._request.is_reused

    def _cancel_request(self) -> None:
        """Frees the upstream: the rest of its response is not needed."""
        if self._request is not None:
            self._request.cancel()

    def _close_exchange(self) -> None:
        """Closes the exchange exactly once."""
        self._is_done = True
        request, self._request = self._request, None
        if request is not None:
            self._exchange.attempts = request.attempts
            # a response in one piece has no first byte of its own
            self._exchange.first_byte = request.first_byte_at or self._exchange.provider_ended
        self._close(self._exchange)
