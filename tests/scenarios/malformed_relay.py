"""Malformed requests as data, and an institution that remembers every byte it was ever sent.

`malformed/*.yaml`: lists of payloads. `line` and `body` replace those of a good POST, `fields` come after its own,
`without` takes one away, `raw` is everything; `\\x` escapes of the yaml texts are bytes. `then` is [status, rsp_code].
An `unread` payload is one whose x-api-tran-id cannot be told.
"""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from stage.town import BANK, DETAIL

FOLDER = Path(__file__).with_name("malformed")
ANSWER = b'{"rsp_code":"00000","rsp_msg":"OK"}'
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(ANSWER)
_TRAN_ID = re.compile(rb"x-api-tran-id: *([^\r]+)\r", re.IGNORECASE)


@dataclass(frozen=True)
class Payload:
    """One way to be malformed."""

    name: str
    then: tuple[int, str]
    line: str = f"POST {DETAIL} HTTP/1.1"
    fields: tuple[str, ...] = ()
    without: str = ""
    body: str = ""
    raw: str = ""
    unread: bool = False

    def data(self, good):
        """Its bytes; `good` are the fields of a good call."""
        if self.raw:
            return self.raw.encode("latin-1")
        own = [f"{name}: {value}" for name, value in good.items() if name != self.without]
        return "\r\n".join([self.line, *own, *self.fields, "", self.body]).encode("latin-1")


def payloads():
    """Every payload of every file."""
    return [
        Payload(**{**entry, "then": tuple(entry["then"]), "fields": tuple(entry.get("fields", ()))})
        for file in sorted(FOLDER.glob("*.yaml"))
        for entry in yaml.safe_load(file.read_text())
    ]


class Recorder:
    """An institution of a town that keeps what it hears and answers each head that ends."""

    org_code, industry = BANK, "bank"
    settings = {}  # noqa: RUF012 - as institutions of the stage have it
    bugs = ()

    def __init__(self):
        self.heard = b""
        self._lines = set()

    async def open(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self):
        self._server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    def forget(self):
        self.heard = b""

    async def _serve(self, reader, writer):
        self._lines.add(asyncio.current_task())
        try:
            while part := await reader.read(65536):
                self.heard += part
                for tran_id in _TRAN_ID.findall(part):
                    writer.write(_HEAD + b"x-api-tran-id: %b\r\n\r\n%b" % (tran_id, ANSWER))
        finally:
            writer.transport.abort()
