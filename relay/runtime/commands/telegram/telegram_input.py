"""Reads telegrams that people give: hex text, hex dumps, raw bytes; as an argument, a file or standard input."""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Final

from relay.infra.files.regular import read_file
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.telegram.framing import Framing
from relay.policy.mediation.telegram.texts import CHARSETS
from relay.runtime.commands.printing import EXIT_UNUSABLE, exit_with

MAX_BYTES: Final = 16_777_216
"""The largest input: 4 MiB of telegrams in hex with blanks and offsets."""

STDIN: Final = "-"
LINE_BYTES: Final = 32
"""Bytes in a line of printed hex: 64 columns."""

_DUMP: Final = re.compile(r"(?:0x)?([0-9A-Fa-f]{4,8}):?\s+(\S.*)")
_IGNORED: Final = re.compile(r"0[xX]|[\s:,-]")
_HEX: Final = re.compile(r"[0-9A-Fa-f]*")
_GROUP: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")


class Form(StrEnum):
    """How a telegram is given."""

    AUTO = "auto"
    HEX = "hex"
    RAW = "raw"


class NotHex(Exception):
    """A text is not hexadecimal; the message says where."""


def read_input(source: str, framing: Framing | None, charset: str, form: Form = Form.AUTO) -> bytes:
    """Returns the bytes of one or several telegrams. Ends the command when they cannot be read.

    `source` is `-` for standard input, the path of a file, or the text itself. Raw bytes that the framing divides into
    whole telegrams are taken as they are; else text that is hexadecimal is decoded.
    """
    content, name = _read_source(source, charset)
    if len(content) > MAX_BYTES:
        exit_with(f"{name}: is too large; expected: at most {MAX_BYTES} bytes", EXIT_UNUSABLE)
    if not content.strip():
        exit_with(f"{name}: is empty; expected: a telegram as hex or as raw bytes", EXIT_UNUSABLE)
    try:
        return parse_input(content, framing, form)
    except NotHex as error:
        exit_with(f"{name}: {error}; expected: hex digits, a hex dump, or --form raw", EXIT_UNUSABLE)


def _read_source(source: str, charset: str) -> tuple[bytes, str]:
    if source == STDIN:
        return sys.stdin.buffer.read(MAX_BYTES + 1), "standard input"
    path = Path(source)
    try:
        if source and path.exists():
            return read_file(path, MAX_BYTES + 1), source
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.filename is not None and len(source) < 255:  # noqa: PLR2004 - NAME_MAX
            exit_with(f"{source}: cannot be read ({error.strerror})", EXIT_UNUSABLE)
    try:
        parse_hex(source)
    except NotHex:
        if "/" in source or path.suffix in {".telegram", ".hex", ".bin", ".txt", ".dat"}:
            exit_with(f"{source}: no such file; expected: a file, - for standard input, or hex digits", EXIT_UNUSABLE)
    return source.encode(CHARSETS[charset], "replace"), "the argument"


def parse_input(content: bytes, framing: Framing | None, form: Form = Form.AUTO) -> bytes:
    """Returns the bytes of telegrams in hex or raw form. Raises NotHex for another form with `Form.HEX`."""
    if form is Form.RAW:
        return content
    if form is Form.AUTO and framing is not None:
        for raw in dict.fromkeys((content, content.removesuffix(b"\n").removesuffix(b"\r"))):
            if is_framed(raw, framing):
                return raw
    try:
        return parse_hex(content.decode())
    except (NotHex, UnicodeDecodeError) as error:
        if form is Form.HEX:
            raise error if isinstance(error, NotHex) else NotHex("is not text") from None
        return content


def is_framed(data: bytes, framing: Framing) -> bool:
    """Whether bytes are one or several whole telegrams."""
    position = 0
    try:
        while position < len(data):
            size = framing.read_size(data[position : position + framing.end])
            position += size
    except ConversionError:
        return False
    return position == len(data) > 0


def parse_hex(text: str) -> bytes:
    """Returns the bytes of hex digits or of a hex dump (xxd, hexdump -C, Wireshark). Raises NotHex.

    Blanks, colons, commas, hyphens, `0x`, and what follows `#` in a line do not count.
    """
    lines = [line.partition("#")[0] for line in text.splitlines()]
    if all(line.strip() == "" or _DUMP.fullmatch(line.strip()) for line in lines):
        dumped = _parse_dump(lines)
        if dumped is not None:
            return dumped
    output = []
    for number, line in enumerate(lines, 1):
        digits = _IGNORED.sub("", line)
        if not _HEX.fullmatch(digits):
            place = f"line {number}, " if len(lines) > 1 else ""
            raise NotHex(f"{place}is not hexadecimal")
        output.append(digits)
    joined = "".join(output)
    if len(joined) % 2:
        raise NotHex(f"has {len(joined)} hex digits, an odd number")
    return bytes.fromhex(joined)


def _parse_dump(lines: list[str]) -> bytes | None:
    """Returns the bytes of a dump whose offsets count them, None when they do not."""
    data = bytearray()
    for line in lines:
        match = _DUMP.fullmatch(line.strip())
        if match is None:
            continue
        if int(match[1], 16) == len(data) and match[2].startswith("*"):
            return None
        if int(match[1], 16) != len(data):
            return None
        rest = match[2].partition("|")[0]
        rest = re.split(r"\s{3,}", rest, maxsplit=1)[0]
        if ":" in line.partition(match[2])[0]:
            rest = rest.partition("  ")[0]
        for group in rest.split():
            if not _GROUP.fullmatch(group):
                return None
            data += bytes.fromhex(group)
    return bytes(data) if data else None


def format_hex(data: bytes) -> str:
    """Returns lines of hex that fit 80 columns."""
    text = data.hex()
    return "\n".join(text[start : start + 2 * LINE_BYTES] for start in range(0, len(text), 2 * LINE_BYTES))
