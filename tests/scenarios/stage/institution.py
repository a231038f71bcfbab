"""An institution on plain sockets that does with a call whatever its script says."""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass

JSON_TYPE = "application/json; charset=UTF-8"
TRAN_ID = "TRAN-ID-OF-THE-LAST-CALL-"
"""Stands in what is sent for the x-api-tran-id of the last call of the connection."""


@dataclass(frozen=True)
class Asked:
    """A call as it arrived: the exact target, the header lines in order, and on which connection it came."""

    method: str
    target: str
    fields: list[tuple[str, str]]
    body: bytes
    connection: int

    @property
    def headers(self):
        found = {name.lower(): value for name, value in self.fields}
        assert len(found) == len(self.fields), self.fields
        return found

    @property
    def tran_id(self):
        return self.headers["x-api-tran-id"]


def body_for(asked):
    return json.dumps({"rsp_code": "00000", "rsp_msg": "성공", "asked": asked.tran_id}, ensure_ascii=False).encode()


def whole(body, *lines, status="200 OK"):
    """An answer with a Content-Length, that names the last call unless `lines` name one."""
    names = any(line.lower().startswith("x-api-tran-id:") for line in lines)
    lines = lines if names else (f"x-api-tran-id: {TRAN_ID}", *lines)
    head = [f"HTTP/1.1 {status}", f"Content-Type: {JSON_TYPE}", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


async def answers_well(asked, wire):
    await wire.send(whole(body_for(asked), f"x-api-tran-id: {asked.tran_id}"))


class Wire:
    """The institution's end of one connection."""

    def __init__(self, number, reader, writer):
        self.number = number
        self.reader = reader
        self.writer = writer
        self.answers = 0
        self.sent = 0
        self.tran_id = ""

    def named(self, data):
        """What is sent, with the name of the last call."""
        return data.replace(TRAN_ID.encode(), self.tran_id.encode())

    async def send(self, data):
        """Write and wait until the kernel has taken all but a little of it."""
        data = self.named(data)
        self.writer.write(data)
        await self.writer.drain()
        self.sent += len(data)

    def close(self):
        self.writer.close()

    def reset(self):
        """RST instead of FIN."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def left(self):
        """Wait until the relay hangs up; what it sends meanwhile is lost."""
        while await self.reader.read(65536):
            pass


class Institution:
    """Listens, notes what it is asked, and lets `script(asked, wire)` answer."""

    def __init__(self, org_code, industry, context=None, **settings):
        self.org_code = org_code
        self.industry = industry
        self.settings = settings
        self._context = context
        self._server = None
        self._tasks = set()
        self.port = 0
        self.bugs = []
        self.forget()

    def forget(self):
        """As if nothing had happened; lines that stand are cut."""
        self.script = answers_well
        self.seen = []
        self.connections = 0
        for wire in getattr(self, "wires", ()):
            wire.writer.transport.abort()
        self.wires = set()

    async def open(self):
        door = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self.port = door.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=door, ssl=self._context)

    async def shut(self):
        """Nobody listens any more: connecting is refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        wire = Wire(self.connections, reader, writer)
        self.wires.add(wire)
        try:
            while not writer.is_closing():
                asked = await _read(reader, wire.number)
                self.seen.append(asked)
                wire.tran_id = asked.headers.get("x-api-tran-id", "")
                await self.script(asked, wire)
                wire.answers += 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except Exception as error:  # a script that is wrong must not look like an institution that is
            self.bugs.append(error)
        finally:
            self.wires.discard(wire)
            self._tasks.discard(task)
            writer.close()


async def _read(reader, number):
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].decode().split("\r\n")
    method, target, version = first.split(" ")
    assert version == "HTTP/1.1"
    fields = [tuple(line.split(": ", 1)) for line in lines]
    lengths = [int(value) for name, value in fields if name.lower() == "content-length"]
    body = await reader.readexactly(lengths[0]) if lengths else b""
    return Asked(method, target, fields, body, number)
