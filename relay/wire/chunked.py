"""Bodies in `Transfer-Encoding: chunked`, decoded by llhttp (RFC 9112 7.1)."""

import httptools

from relay.wire.head import Malformed, Wrong

_REQUEST = b"POST / HTTP/1.1\r\nHost: -\r\nTransfer-Encoding: chunked\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class ChunkedBody:
    """The decoder of one chunked body. `done` once the last chunk was read; trailers are refused."""

    __slots__ = ("_begun", "_parser", "_parts", "done", "on_body")

    def __init__(self, *, answer: bool) -> None:
        self._parts: list[bytes] = []
        self.on_body = self._parts.append
        self.done = False
        self._begun = False
        self._parser = httptools.HttpResponseParser(self) if answer else httptools.HttpRequestParser(self)
        self._parser.feed_data(_ANSWER if answer else _REQUEST)
        self._begun = True

    def on_header(self, _name: bytes, _value: bytes) -> None:
        """Refuse trailers: nobody in this standard sends any, and smugglers do."""
        if self._begun:
            raise Malformed(Wrong.BODY_MALFORMED)

    def on_message_complete(self) -> None:
        """Note that the last chunk was read."""
        self.done = True

    def on_message_begin(self) -> None:
        """Refuse what follows the last chunk."""
        if self._begun:
            raise Malformed(Wrong.BODY_MALFORMED)

    def feed(self, data: bytes) -> bytes:
        """Body bytes in `data`. Raises Malformed when it is not chunked, or when something follows the end."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise Malformed(Wrong.BODY_MALFORMED) from error
        body = b"".join(self._parts)
        self._parts.clear()
        return body

    def feed_to_end(self, data: bytes) -> tuple[bytes, bytes]:
        """Body bytes in `data` and what follows the end of the body (b"" while it has not ended).

        The end is always the end of a line, so the lines are fed one by one and the next message stays untouched.
        """
        found = []
        at = 0
        while at < len(data) and not self.done:
            end = data.find(b"\n", at) + 1 or len(data)
            found.append(self.feed(data[at:end]))
            at = end
        return b"".join(found), data[at:]
