"""Malformed requests as data, and an institution that records every received byte.

`malformed/*.yaml`: lists of payloads. `line` and `body` replace those of a good POST, `fields` come after its own,
`without` takes one away, `raw` is everything; `\\x` escapes of the yaml texts are bytes. `then` is [status, rsp_code].
An `unread` payload is one whose x-api-tran-id cannot be read.
"""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from fixtures.gateway_environment import BANK, DETAIL

FOLDER = Path(__file__).with_name("malformed")
ANSWER = b'{"rsp_code":"00000","rsp_msg":"OK"}'
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(ANSWER)
_TRAN_ID = re.compile(rb"x-api-tran-id: *([^\r]+)\r", re.IGNORECASE)


@dataclass(frozen=True)
class Payload:
    """A malformed request."""

    name: str
    then: tuple[int, str]
    line: str = f"POST {DETAIL} HTTP/1.1"
    fields: tuple[str, ...] = ()
    without: str = ""
    body: str = ""
    raw: str = ""
    unread: bool = False

    def data(self, good):
        """Returns its bytes. `good` are the fields of a valid call."""
        if self.raw:
            return self.raw.encode("latin-1")
        own = [f"{name}: {value}" for name, value in good.items() if name != self.without]
        return "\r\n".join([self.line, *own, *self.fields, "", self.body]).encode("latin-1")


def load_payloads():
    """Returns every payload of every file."""
    return [
        Payload(**{**entry, "then": tuple(entry["then"]), "fields": tuple(entry.get("fields", ()))})
        for file in sorted(FOLDER.glob("*.yaml"))
        for entry in yaml.safe_load(file.read_text())
    ]


class Recorder:
    """An institution that records what it receives and answers each complete head."""

    org_code, industry = BANK, "bank"
    settings = {}  # noqa: RUF012 - as in fixtures.institution
    bugs = ()

    def __init__(self):
        self.received = b""
        self._connections = set()

    async def open(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def reset(self):
        self.received = b""

    async def _serve(self, reader, writer):
        self._connections.add(asyncio.current_task())
        try:
            while part := await reader.read(65536):
                self.received += part
                for tran_id in _TRAN_ID.findall(part):
                    writer.write(_HEAD + b"x-api-tran-id: %b\r\n\r\n%b" % (tran_id, ANSWER))
        finally:
            writer.transport.abort()
