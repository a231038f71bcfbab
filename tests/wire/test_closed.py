import gc

import pytest
from stand_ins import Transport

from relay.wire.client import ClientConnection
from relay.wire.closed import CLOSED

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: 2\r\n\r\n{}"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{"


class ResponseHandler:
    def __getattr__(self, _):
        return lambda *_: None


def test_a_closed_transport_ignores_all_calls():
    CLOSED.write(b"late")
    CLOSED.pause_reading()
    CLOSED.resume_reading()
    CLOSED.close()
    CLOSED.abort()
    assert (CLOSED.is_closing(), CLOSED.can_write_eof()) == (True, False)


@pytest.mark.parametrize("response", [b"", WHOLE, WHOLE[:-1], OK[:9], b"noise\r\n\r\n", CHUNKED])
def test_a_lost_client_connection_leaves_no_reference_cycle(response):
    gc.collect()
    gc.disable()
    try:
        connection, transport = ClientConnection(lambda _: None), Transport()
        transport.protocol = connection  # as real transports do
        connection.connection_made(transport)
        connection.send(b"", ResponseHandler())
        if response:
            connection.get_buffer(-1)[: len(response)] = response
            connection.buffer_updated(len(response))
        connection.connection_lost(None)
        del connection, transport
        assert gc.collect() == 0
    finally:
        gc.enable()
