"""An institution that ends each connection after one answer, in another way each time.

Run as a script: hanging_up_institution.py [CERTIFICATE KEY]. Prints its port and serves until standard input ends.
"""

import asyncio
import socket
import ssl
import struct
import sys
from itertools import cycle

TYPE = b"Content-Type: application/json; charset=UTF-8\r\n"
WHOLE = b'HTTP/1.1 200 OK\r\n%bx-api-tran-id: %%b\r\nContent-Length: 21\r\n\r\n{"rsp_code": "00000"}' % TYPE
LARGE = b"HTTP/1.1 200 OK\r\n%bx-api-tran-id: %%b\r\nContent-Length: 100000\r\n\r\n" % TYPE
ENDINGS = {
    "close": WHOLE,
    "says close": WHOLE.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
    "large": LARGE + b" " * 99_979 + b'{"rsp_code": "00000"}',
    "cut": WHOLE[:-1],
    "large and cut": LARGE + b" " * 80_000,
    "malformed": b"noise\r\n\r\n",
    "no answer": b"",
    "reset": b"",
    "surplus": WHOLE + b"HTTP/1.1 200 OK\r\n\r\n",
}
_endings = cycle(ENDINGS)


async def serve(reader, writer):
    """Reads one call, answers it and ends the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        tran_id = head.partition(b"x-api-tran-id: ")[2].partition(b"\r\n")[0]
        ending = next(_endings)
        answer = ENDINGS[ending]
        writer.write(answer % tran_id if b"%b" in answer else answer)
        await writer.drain()
        if ending == "reset":
            wire = writer.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
    except (OSError, EOFError):
        pass
    finally:
        writer.close()


async def main(certificate="", key=""):
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
