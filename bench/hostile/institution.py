"""A fast bank on loopback. Run it with PORT."""

import asyncio
import sys
from typing import Final

import uvloop

BODY: Final = b'{"rsp_code":"00000","rsp_msg":"ok","search_timestamp":"0","reg_date":"20200101","account_cnt":"0"}'


class Bank(asyncio.Protocol):
    """Responds to every request without a body with the same list and the request's x-api-tran-id."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts with an empty buffer."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Responds to each complete request."""
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            self._transport.write(answer_to(head))


def answer_to(head: bytes) -> bytes:
    """Returns the response to a request with this head."""
    tran_id = next(
        (line[14:].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"x-api-tran-id:")), b""
    )
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nx-api-tran-id: "
        + tran_id
        + b"\r\nContent-Length: %d\r\n\r\n" % len(BODY)
        + BODY
    )


async def main(port: int) -> None:
    """Serves until the process ends."""
    server = await asyncio.get_running_loop().create_server(Bank, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
