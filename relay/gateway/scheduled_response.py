"""The response to a scheduled call: whether it completes the transfer of this week (규격 3.3.1)."""

from collections.abc import Callable, Mapping
from typing import Final

from relay.domain.api import SUCCESS
from relay.domain.exchange import Exchange
from relay.domain.fault import Fault
from relay.domain.ports import ResponseReceiver, ScheduledTransfers
from relay.domain.quota import Transfer
from relay.gateway.caller_connection import CallerConnection
from relay.policy.response.next_page import NextPageDetector
from relay.wire.closed import CLOSED

_OK: Final = 200


class ScheduledResponse:
    """Notes the success of one scheduled call. `close` closes its exchange: it is the end of every response.

    A success is HTTP 200 with rsp_code 00000, sent in full. `pages` is the watcher of its pages, None without pages.
    """

    __slots__ = ("_close", "_connection", "_is_last_response", "_transfer", "_transfers", "_transport", "pages")

    def __init__(
        self,
        transfer: Transfer,
        transfers: ScheduledTransfers,
        connection: CallerConnection,
        close: Callable[[Exchange], None],
    ) -> None:
        self._transfer = transfer
        self._transfers = transfers
        self._connection = connection
        self._transport = connection.transport
        self._is_last_response = False
        self._close = close
        self.pages: PageWatcher | None = None

    def close(self, exchange: Exchange) -> None:
        """Closes the exchange. Notes its page if the response is a success."""
        if exchange.status == _OK and exchange.rsp_code == SUCCESS and not exchange.reason:
            self._is_last_response = self._connection.will_close
            is_last_page = self.pages is None or self.pages.is_last()
            self._transfers.complete(self._transfer, self.find_unsent, is_last=is_last_page)
        self._close(exchange)

    def find_unsent(self) -> int | None:
        """Returns the bytes of the response that the operator's connection has not sent, None if it was lost before.

        A connection that closes after the response may be closed by the first time that this is called.
        """
        if self._transport is CLOSED:
            return None
        if self._connection.transport is self._transport:
            self._is_last_response = False
            return self._transport.get_write_buffer_size()
        return 0 if self._is_last_response else None


class PageWatcher:
    """Passes a response on to `receiver` and searches its body for the next page."""

    __slots__ = ("_detector", "_receiver")

    def __init__(self, receiver: ResponseReceiver) -> None:
        self._receiver = receiver
        self._detector: NextPageDetector | None = None

    def is_last(self) -> bool:
        """Returns whether the response, which is complete, is that of a last page."""
        if self._detector is None:
            return False
        self._detector.end()
        return self._detector.is_last

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Processes a whole response."""
        self._detector = NextPageDetector(headers)
        self._detector.feed(body)
        return self._receiver.response_received(status, headers, body)

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Processes the head of a large response and the beginning of its body."""
        self._detector = NextPageDetector(headers)
        self._detector.feed(body)
        self._receiver.head_received(status, headers, length, body)

    def body_received(self, body: bytes) -> None:
        """Processes a part."""
        if self._detector is not None:
            self._detector.feed(body)
        self._receiver.body_received(body)

    def response_ended(self) -> None:
        """Passes the end on."""
        self._receiver.response_ended()

    def request_failed(self, fault: Fault, detail: str = "") -> None:
        """Passes the failure on."""
        self._receiver.request_failed(fault, detail)
