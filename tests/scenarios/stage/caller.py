"""A caller that sends exact bytes over mutual TLS and reads answers without mercy."""

import asyncio
import json
import re
import socket
import ssl
from dataclasses import dataclass

from stage.waiting import PATIENCE_S

_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [A-Za-z ]+")
_FIELD = re.compile(rb"([A-Za-z-]+): ([!-~](?:[ -~]*[!-~])?)?")
_FRAMING = {"content-length", "transfer-encoding"}


@dataclass(frozen=True)
class Answer:
    """One answer as it stood on the wire; names in lower case, in their order."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes

    @property
    def headers(self):
        assert len({name for name, _ in self.fields}) == len(self.fields), f"a field stands twice: {self.fields}"
        return dict(self.fields)

    def json(self):
        return json.loads(self.body)

    @property
    def rsp_code(self):
        return self.json()["rsp_code"]


def client_context(ca, pair=None, version=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = version
    context.load_verify_locations(ca)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.private_key)
    return context


class Line:
    """One connection of a caller."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port, context, address=None, *, narrow=False):
        """`address` is where to call from; a `narrow` line takes little before its reader reads."""
        door = socket.socket()
        door.setblocking(False)
        if narrow:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        if address:
            door.bind((address, 0))
        async with asyncio.timeout(PATIENCE_S):
            try:
                await asyncio.get_running_loop().sock_connect(door, ("127.0.0.1", port))
            except OSError:
                door.close()
                raise
            name = "localhost" if context else None
            limit = 4096 if narrow else 65536
            return cls(*await asyncio.open_connection(sock=door, ssl=context, server_hostname=name, limit=limit))

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.hang_up()

    def hang_up(self):
        self.writer.transport.abort()

    def send(self, *pieces):
        self.writer.write(b"".join(pieces))

    async def ask(self, *pieces):
        self.send(*pieces)
        return await self.answer()

    async def answer(self):
        """The next answer; interim answers are answers too. EOF before its end is IncompleteReadError."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head[:-4].split(b"\r\n")
            status = _STATUS.fullmatch(first)
            assert status, first
            fields = [_field(line) for line in lines]
            answer = Answer(int(status[1]), fields, b"")
            if answer.status < 200:
                return answer
            return Answer(answer.status, fields, await self._body(answer.headers))

    async def _body(self, headers):
        assert len(_FRAMING.intersection(headers)) == 1, headers
        if "content-length" in headers:
            assert re.fullmatch("0|[1-9][0-9]*", headers["content-length"])
            return await self.reader.readexactly(int(headers["content-length"]))
        assert headers["transfer-encoding"] == "chunked"
        body = []
        while True:
            size = await self.reader.readuntil(b"\r\n")
            assert re.fullmatch(rb"[0-9a-f]+\r\n", size), size
            body.append(await self.reader.readexactly(int(size, 16)))
            assert await self.reader.readexactly(2) == b"\r\n"
            if int(size, 16) == 0:
                return b"".join(body)

    async def hung_up(self):
        """Whether the relay closes and sends nothing more."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


def _field(line):
    found = _FIELD.fullmatch(line)
    assert found, line
    return found[1].decode().lower(), (found[2] or b"").decode()
