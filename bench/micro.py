"""Micro-benchmarks of the hot path: where the microseconds of one exchange go, without sockets.

.venv/bin/python bench/micro.py            # a table, medians of 7 rounds
.venv/bin/python bench/micro.py --json     # the same for machines
"""

import argparse
import asyncio
import json
import math
import statistics
import tempfile
import time
import timeit
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop
from harness.gateway_scene import BANK, build_claims
from harness.seed_tokens import record_tokens
from mydata_sandbox.credentials.tokens import sign
from mydata_sandbox.environment.build import build
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS

from relay.domain.exchange import Exchange
from relay.domain.party import Peer
from relay.gateway.caller_connection import ConnectionInfo
from relay.gateway.judge import judge
from relay.infra.records.access_log import AccessLog
from relay.infra.records.metrics import Metrics
from relay.policy.call.query import parse_body, parse_query
from relay.runtime.commands.migrate import prepare_ledger
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.gateway import Relay
from relay.wire.head import parse_request_head, parse_response_head
from relay.wire.reader import ServerLimits
from relay.wire.server import ServerConnection

ROUNDS = 7
ROOM = 1000
LIST = f"/v1/bank/accounts?org_code={BANK}&search_timestamp=0&limit=500"
LATELY = datetime.now(UTC).date() - timedelta(days=40)
BODY = json.dumps(
    {"org_code": BANK, "account_num": "1000000000001", "seqno": "0000001", "from_date": f"{LATELY:%Y%m%d}",
     "to_date": f"{LATELY + timedelta(days=30):%Y%m%d}", "limit": "500"}
).encode()  # fmt: skip
ANSWER_BODY = b'{"rsp_code":"00000","rsp_msg":"OK","x":"' + b"a" * 2000 + b'"}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nx-api-tran-id: ZOPA000001M00000000000001\r\n"
    b"Content-Length: " + str(len(ANSWER_BODY)).encode() + b"\r\n\r\n" + ANSWER_BODY
)


class FakeTransport:
    """A transport that discards what is written."""

    def __init__(self) -> None:
        self.written = 0

    def write(self, _data: bytes) -> None:
        """Counts it."""
        self.written += 1

    def set_write_buffer_limits(self, high: int) -> None:
        """Not needed."""

    def get_extra_info(self, name: str) -> object:
        """Returns the peer's address."""
        return ("127.0.0.1", 1) if name == "peername" else None

    def is_closing(self) -> bool:
        """Returns False."""
        return False

    def close(self) -> None:
        """Not needed."""

    abort = close


def head(method: str, target: str, token: str, extra: str = "") -> bytes:
    """Returns a request head as operators send it."""
    return (
        f"{method} {target} HTTP/1.1\r\nHost: relay.example:8443\r\nAuthorization: Bearer {token}\r\n"
        f"x-api-tran-id: ZOPA000001M00000000000001\r\nx-api-type: user-refresh\r\nAccept: application/json\r\n"
        f"User-Agent: operator/1.0\r\n{extra}\r\n"
    ).encode()


def measure(work: Callable[[], object]) -> float:
    """Returns CPU microseconds of one call: median of ROUNDS rounds of about 0.1 s; CPU, as machines are shared."""
    number, _ = timeit.Timer(work, timer=time.process_time).autorange()
    number = max(1, number // 2)
    rounds = timeit.repeat(work, timer=time.process_time, repeat=ROUNDS, number=number)
    return statistics.median(rounds) / number * 1e6


async def build_relay(folder: Path) -> tuple[Relay, Peer, str]:
    """Returns a relay of the sandbox with high rate limits, a peer, and a token for the bank."""
    environment = build(folder, datetime.now(UTC))
    environment.close()
    environ = {
        f"RELAY__RATES__{rate}__{key}": "1000000"
        for rate in ("OPERATOR_PROVIDER", "PROVIDER")
        for key in ("PER_SECOND", "BURST")
    }
    settings = load_settings(environment.settings, environ)
    await prepare_ledger(settings.settings.ledger)
    relay = Relay(settings, asyncio.get_running_loop())
    operator = environment.operators[0]
    claims = build_claims(environment)
    peer = Peer(operator.identity.serial_number.replace("-", ""), "127.0.0.1")
    await record_tokens(environment.settings, [claims], get_ci(CUSTOMERS[0]))
    await relay.grants.fetch(claims["jti"])
    relay.grants.trust_s = math.inf
    return relay, peer, sign(claims, environment.token_key)


async def exchanges(folder: Path) -> dict[str, float]:
    """Returns every measurement by name, in microseconds."""
    relay, peer, token = await build_relay(folder)
    posted = f"Content-Type: application/json; charset=UTF-8\r\nContent-Length: {len(BODY)}\r\n"
    get_raw = head("GET", LIST, token)
    post_raw = head("POST", "/v1/bank/accounts/deposit/transactions", token, posted)
    get_head = parse_request_head(get_raw, 100)
    post_head = parse_request_head(post_raw, 100)
    gateway = relay.gateway
    exchange = closed(relay, gateway.plan.callers.identify(peer), get_head)
    access_log = AccessLog("/dev/null", 10**9)
    figures = {
        "request_head": measure(lambda: parse_request_head(get_raw, 100)),
        "response_head": measure(lambda: parse_response_head(ANSWER[: ANSWER.index(b"{")], 100)),
        "query_parameters": measure(lambda: parse_query(get_head.query)),
        "body_parameters": measure(lambda: parse_body(BODY)),
        "check_get": measure(checked(gateway, "BA01", parse_query(get_head.query).values)),
        "check_post": measure(checked(gateway, "BA04", parse_body(BODY))),
        "judge_get": measure(judged(relay, peer, get_head, b"")),
        "judge_post": measure(judged(relay, peer, post_head, BODY)),
        "metrics": measure(lambda: Metrics.record(relay.metrics, [exchange])),
        "access_log": measure(lambda: access_log.write([exchange])),
        "whole_get": measure(whole(relay, peer, get_raw)),
        "whole_post": measure(whole(relay, peer, post_raw + BODY)),
    }
    await relay.ledger.close()
    return figures


def judged(relay: Relay, peer: Peer, parsed: object, body: bytes) -> Callable[[], object]:
    """Returns a function that judges one call."""
    gateway, now = relay.gateway, time.time()
    callers = gateway.plan.callers.identify(peer)
    return lambda: judge(gateway.plan, gateway._dependencies, callers, parsed, body, Exchange(relay.loop.time(), now))


def whole(relay: Relay, peer: Peer, raw: bytes) -> Callable[[], object]:
    """Returns a function that runs a whole exchange, from the operator's bytes to the operator's bytes."""
    connection, answering = connected(relay, peer)

    def once() -> None:
        connection.data_received(raw)
        answering()

    return once


def checked(gateway: object, api_code: str, parameters: object) -> Callable[[], object]:
    """Returns the parameter check of one API at the bank."""
    check = gateway.plan.institutions[BANK].rules[api_code].parameters
    return lambda: check(parameters)


def closed(relay: Relay, callers: tuple, parsed: object) -> Exchange:
    """Returns a closed exchange."""
    exchange = Exchange(relay.loop.time(), time.time())
    judge(relay.gateway.plan, relay.gateway._dependencies, callers, parsed, b"", exchange)
    exchange.provider_started, exchange.attempts = exchange.started, 1
    exchange.status, exchange.rsp_code = 200, "00000"
    exchange.close(relay.loop.time())
    return exchange


def connected(relay: Relay, peer: Peer) -> tuple[ServerConnection, Callable[[], None]]:
    """Returns an operator's connection, and a function with which the bank responds once."""
    limits = ServerLimits(16384, 100, 65536, 32, math.inf, math.inf, math.inf)
    connection = ServerConnection(relay.gateway, limits, relay.watch, relay.loop)
    connection.connection_made(FakeTransport())
    connection.info = ConnectionInfo(peer, is_excess=False)
    _, pool = relay.pools[BANK]
    provider = instant(pool)

    def answering() -> None:
        provider.get_buffer(-1)[: len(ANSWER)] = ANSWER
        provider.buffer_updated(len(ANSWER))
        if len(relay.access_log._writer._queue) >= ROOM:
            relay.access_log._writer._queue.clear()

    return connection, answering


def instant(pool: object) -> object:
    """Returns a connection to a bank that is always idle."""
    from relay.wire.client import ClientConnection  # noqa: PLC0415 - beside its only use

    connection = ClientConnection(lambda _: None)
    connection.connection_made(FakeTransport())
    connection.opened_at = connection.idle_until = math.inf
    pool._idle[0].append(connection)
    pool.loop = AtOnce(pool.loop)
    return connection


class AtOnce:
    """The pool's loop with `call_soon` that calls at once: no event loop runs here."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.time = loop.time

    def call_soon(self, callback: Callable[..., None], *arguments: object) -> None:
        """Calls it."""
        callback(*arguments)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object, microseconds by name")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(exchanges(Path(folder) / "sandbox"))
    if options.json:
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
        return
    for name, value in figures.items():
        print(f"{name:18} {value:8.2f} us")


if __name__ == "__main__":
    main()
