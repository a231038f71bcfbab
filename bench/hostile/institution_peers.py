"""Hostile institutions: each serves the hostile bank's port and lets the hostile operator call it."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Final

from hostile.caller_peers import transactions_body, transactions_request
from hostile.connections import READ_BYTES, Attack
from hostile.load_client import data_request, new_tran_id
from hostile.world import HOSTILE_BANK, HOSTILE_OPERATOR, LOOPBACK

CALLS: Final = 8
SMALL_NUMBERS: Final = 4 << 20
Serve = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


async def _attack(attack: Attack, serve: Serve, request: Callable[[], bytes], *, reads: bool = True) -> None:
    """Serve the hostile bank by `serve`, and call it on some connections until told to stop."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(_body_length(head))
                attack.done["asked"] += 1
                await serve(writer, _tran_id(head))
        except (OSError, asyncio.IncompleteReadError):
            attack.done["closed by relay"] += 1
        finally:
            writer.transport.abort()

    async def call() -> None:
        reader, writer = await attack.connect(attack.world.gateway, context)
        try:
            for _ in itertools.repeat(None):
                writer.write(request())
                if not reads:
                    await attack.stop.wait()
                if not await reader.read(READ_BYTES):
                    return
                attack.done["answers"] += 1
        finally:
            writer.transport.abort()

    context = attack.world.hostile.context(attack.world.ca)
    server = await asyncio.start_server(connected, LOOPBACK, attack.world.hostile_institution)
    await attack.repeat(call, at_once=CALLS)
    server.close()


def _body_length(head: bytes) -> int:
    return next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)


def _tran_id(head: bytes) -> bytes:
    lines = head.split(b"\r\n")
    return next((line[14:].strip() for line in lines if line.lower().startswith(b"x-api-tran-id:")), b"")


def _head(tran_id: bytes, framing: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nx-api-tran-id: "
        + tran_id
        + b"\r\n"
        + framing
        + b"\r\n\r\n"
    )


async def _without_end(writer: asyncio.StreamWriter, piece: bytes) -> None:
    for _ in itertools.repeat(None):
        writer.write(piece)
        await writer.drain()


async def interim_answers(attack: Attack) -> None:
    """Answer 102 Processing without end."""

    async def serve(writer: asyncio.StreamWriter, _: bytes) -> None:
        await _without_end(writer, b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)

    await _attack(attack, serve, lambda: _get(attack))


async def one_byte_chunks(attack: Attack) -> None:
    """Answer in chunks of one byte without end."""

    async def serve(writer: asyncio.StreamWriter, tran_id: bytes) -> None:
        writer.write(_head(tran_id, b"Transfer-Encoding: chunked"))
        await _without_end(writer, b"1\r\n \r\n" * 1000)

    await _attack(attack, serve, lambda: _get(attack))


async def large_withheld_list(attack: Attack) -> None:
    """Answer a list of 4 MB of small numbers that the relay must read, because it withholds fields."""
    body = b'{"rsp_code":"00000","rsp_msg":"ok","trans_cnt":"1","trans_list":[' + b"1," * (SMALL_NUMBERS // 2) + b"1]}"
    framing = b"Content-Length: %d" % len(body)

    async def serve(writer: asyncio.StreamWriter, tran_id: bytes) -> None:
        writer.write(_head(tran_id, framing) + body)
        await writer.drain()

    await _attack(attack, serve, lambda: _transactions(attack))


async def headers_without_end(attack: Attack) -> None:
    """Answer header lines without end."""

    async def serve(writer: asyncio.StreamWriter, _: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await _without_end(writer, b"x-a: b\r\n" * 100)

    await _attack(attack, serve, lambda: _get(attack))


async def silent_institution(attack: Attack) -> None:
    """Take calls and never answer."""

    async def serve(_: asyncio.StreamWriter, __: bytes) -> None:
        await attack.stop.wait()

    await _attack(attack, serve, lambda: _get(attack))


async def reset_in_response(attack: Attack) -> None:
    """Reset every connection in the middle of an answer."""

    async def serve(writer: asyncio.StreamWriter, tran_id: bytes) -> None:
        writer.write(_head(tran_id, b"Content-Length: 1000") + b'{"rsp_code":')
        await writer.drain()
        writer.transport.abort()

    await _attack(attack, serve, lambda: _get(attack))


async def unread_responses(attack: Attack) -> None:
    """Answer 8 MB each to an operator that reads nothing."""
    body = b'{"rsp_code":"00000","x":"' + b"x" * (8 << 20) + b'"}'

    async def serve(writer: asyncio.StreamWriter, tran_id: bytes) -> None:
        writer.write(_head(tran_id, b"Content-Length: %d" % len(body)) + body)
        await writer.drain()

    await _attack(attack, serve, lambda: _get(attack), reads=False)


def _get(attack: Attack) -> bytes:
    return data_request(attack.world.hostile, HOSTILE_BANK, new_tran_id(HOSTILE_OPERATOR))


def _transactions(attack: Attack) -> bytes:
    return transactions_request(attack.world.hostile.tokens[HOSTILE_BANK], transactions_body(HOSTILE_BANK))
