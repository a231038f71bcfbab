"""Hostile callers at the gateway: pipelines, floods of connections and handshakes, readers that do not read."""

import asyncio
import itertools
import json
import os
import random
import secrets
import ssl
from contextlib import suppress
from typing import Final

from hostile.connections import Attack, drain_answers, pipeline
from hostile.load_client import data_request, new_tran_id
from hostile.world import GOOD_BANK, HOSTILE_OPERATOR, NAMED_BANK, client_context

BATCH: Final = 100
OPENED: Final = 300
"""Connections of a peer that holds many: more than an operator's cap."""

CLOSED_EACH_S: Final = 230
_APIS: Final = (
    f"GET /bank/apis?org_code={GOOD_BANK}&client_id={HOSTILE_OPERATOR}SVC01&search_timestamp=0 HTTP/1.1\r\n"
    "Host: relay\r\nx-api-type: user-refresh\r\n"
)


async def unregistered_serial(attack: Attack) -> None:
    """Pipeline GET / with a certificate whose serial number no operator has."""
    context = attack.world.unregistered.context(attack.world.ca)
    await attack.repeat(lambda: pipeline(attack, context, b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n", BATCH))


async def bad_tokens(attack: Attack) -> None:
    """Pipeline data calls with tokens that cannot be verified."""
    hostile = attack.world.hostile
    request = data_request(hostile, GOOD_BANK, new_tran_id(HOSTILE_OPERATOR)).replace(b"Bearer ey", b"Bearer xy")
    await attack.repeat(lambda: pipeline(attack, hostile.context(attack.world.ca), request, BATCH))


async def api_lists(attack: Attack) -> None:
    """Pipeline calls that the relay answers itself."""
    request = f"{_APIS}x-api-tran-id: {new_tran_id(HOSTILE_OPERATOR)}\r\n\r\n".encode()
    context = attack.world.hostile.context(attack.world.ca)
    await attack.repeat(lambda: pipeline(attack, context, request, BATCH))


async def large_lists(attack: Attack) -> None:
    """Pipeline POST calls whose body is a JSON list of 60 KB."""
    hostile = attack.world.hostile
    body = json.dumps([1] * 20_000).encode()
    request = transactions_request(hostile.tokens[GOOD_BANK], body)
    await attack.repeat(lambda: pipeline(attack, hostile.context(attack.world.ca), request, 1))


def transactions_request(token: str, body: bytes) -> bytes:
    """은행-004 with any body."""
    return (
        "POST /v1/bank/accounts/deposit/transactions HTTP/1.1\r\nHost: relay\r\n"
        f"Authorization: Bearer {token}\r\nx-api-tran-id: {new_tran_id(HOSTILE_OPERATOR)}\r\n"
        "x-api-type: user-search\r\nContent-Type: application/json; charset=UTF-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def transactions_body(org_code: str) -> bytes:
    """The parameters of 은행-004."""
    day = "20250101"
    values = {"org_code": org_code, "account_num": "1111", "from_date": day, "to_date": day, "limit": "500"}
    return json.dumps(values).encode()


async def never_reads(attack: Attack) -> None:
    """Pipeline calls on many connections and read nothing."""
    request = f"{_APIS}x-api-tran-id: {new_tran_id(HOSTILE_OPERATOR)}\r\n\r\n".encode()
    context = attack.world.hostile.context(attack.world.ca)

    async def attack_once() -> None:
        _, writer = await attack.connect(attack.world.gateway, context)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        try:
            for _ in itertools.repeat(None):
                writer.write(request * BATCH)
                await writer.drain()
        finally:
            writer.transport.abort()

    await attack.repeat(attack_once, at_once=40)


async def slow_heads(attack: Attack) -> None:
    """Send a request one byte at a time on many connections."""
    context = attack.world.hostile.context(attack.world.ca)

    async def attack_once() -> None:
        _, writer = await attack.connect(attack.world.gateway, context)
        try:
            for byte in _APIS.encode():
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.5)
        finally:
            writer.transport.abort()

    await attack.repeat(attack_once, at_once=200)


async def connect_call_close(attack: Attack) -> None:
    """Connect, call once, close: 230 times a second."""
    context = attack.world.hostile.context(attack.world.ca)

    async def attack_once() -> None:
        reader, writer = await attack.connect(attack.world.gateway, context)
        try:
            writer.write(f"{_APIS}x-api-tran-id: {new_tran_id(HOSTILE_OPERATOR)}\r\n\r\n".encode())
            attack.done["answers"] += (await reader.readline()).startswith(b"HTTP/1.1 200")
        finally:
            writer.transport.abort()
        await asyncio.sleep(16 / CLOSED_EACH_S)

    await attack.repeat(attack_once, at_once=16)


async def handshake_flood(attack: Attack) -> None:
    """Hold as many connections as one operator may have, then shake hands as fast as it goes."""
    context = attack.world.hostile.context(attack.world.ca)
    held = []
    for _ in range(OPENED):
        with suppress(OSError):
            held.append(await attack.connect(attack.world.gateway, context))
        if attack.stop.is_set():
            break

    async def attack_once() -> None:
        reader, _ = held_open = await attack.connect(attack.world.gateway, context)
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await drain_answers(reader, attack.done)
        held.append(held_open)

    await attack.repeat(attack_once, at_once=50)


async def foreign_certificates(attack: Attack) -> None:
    """Shake hands with a certificate of a foreign CA as fast as it goes."""
    context = attack.world.foreign.context(attack.world.ca)

    async def attack_once() -> None:
        reader, writer = await attack.connect(attack.world.gateway, context)
        try:
            await reader.read(1)
        finally:
            writer.transport.abort()

    await attack.repeat(attack_once, at_once=8)


async def _hold(attack: Attack, port: int, context: ssl.SSLContext | None, count: int) -> None:
    """Open many connections, send nothing; open closed ones again."""

    async def attack_once() -> None:
        reader, writer = await attack.connect(port, context)
        try:
            await reader.read(1)
        finally:
            writer.transport.abort()

    await attack.repeat(attack_once, at_once=count)


async def idle_at_gateway(attack: Attack) -> None:
    """Open 1,000 TCP connections at the gateway and begin no handshake."""
    await _hold(attack, attack.world.gateway, None, 1000)


async def idle_at_pages(attack: Attack) -> None:
    """Open 1,000 TLS connections at the customers' pages and send nothing."""
    await _hold(attack, attack.world.pages, client_context(attack.world.ca), 1000)


async def idle_at_admin(attack: Attack) -> None:
    """Open 1,000 connections at the admin port and send nothing."""
    await _hold(attack, attack.world.admin, None, 1000)


def client_hello(name: bytes) -> bytes:
    """A ClientHello whose server name holds these bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    written = ssl.MemoryBIO()
    model = "x" * len(name)
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), written, server_hostname=model).do_handshake()
    return written.read().replace(model.encode(), name)


async def foreign_server_names(attack: Attack) -> None:
    """Send a ClientHello with a server name that is not ASCII, as fast as it goes."""
    hello = client_hello("은행.example".encode())

    async def attack_once() -> None:
        reader, writer = await attack.connect(attack.world.gateway, None)
        try:
            writer.write(hello)
            await reader.read(4096)
        finally:
            writer.transport.abort()

    await attack.repeat(attack_once, at_once=16)


async def garbage(attack: Attack) -> None:
    """Send bytes that are no TLS: each makes a rejected handshake."""

    async def attack_once() -> None:
        reader, writer = await attack.connect(attack.world.gateway, None)
        try:
            writer.write(os.urandom(64))
            await reader.read(64)
        finally:
            writer.transport.abort()

    await attack.repeat(attack_once, at_once=16)


async def malformed_requests(attack: Attack) -> None:
    """Send requests that are no HTTP/1.1 with a good certificate, a new connection for each."""
    context = attack.world.hostile.context(attack.world.ca)
    heads = (b"GET / HTTP/9.9\r\n\r\n", b"\x00\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n")

    async def attack_once() -> None:
        reader, writer = await attack.connect(attack.world.gateway, context)
        try:
            writer.write(random.choice(heads))
            await reader.read(4096)
        finally:
            writer.transport.abort()

    await attack.repeat(attack_once, at_once=8)


async def names_that_hang(attack: Attack) -> None:
    """Call an institution whose host name does not resolve."""
    await _call_institution(attack, NAMED_BANK, at_once=40)


async def _call_institution(attack: Attack, org_code: str, at_once: int) -> None:
    hostile = attack.world.hostile
    context = hostile.context(attack.world.ca)

    async def attack_once() -> None:
        reader, writer = await attack.connect(attack.world.gateway, context)
        try:
            for _ in itertools.repeat(None):
                writer.write(data_request(hostile, org_code, new_tran_id(HOSTILE_OPERATOR)))
                if not (await reader.read(1 << 16)):
                    return
                attack.done["answers"] += 1
        finally:
            writer.transport.abort()

    await attack.repeat(attack_once, at_once=at_once)


async def random_paths(attack: Attack) -> None:
    """Pipeline calls of paths that do not exist, each another one, with parameters of 8 KB."""
    context = attack.world.hostile.context(attack.world.ca)
    path = f"/v1/bank/{secrets.token_hex(8)}?a={'x' * 8000}"
    request = f"GET {path} HTTP/1.1\r\nHost: relay\r\n\r\n".encode()
    await attack.repeat(lambda: pipeline(attack, context, request, 8))
