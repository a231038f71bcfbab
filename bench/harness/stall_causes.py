"""A gateway process and what may stop its event loop, each cause by its name. `bench/stalls.py` runs it.

Run it with CAUSE ROUNDS SIZE. It prints one JSON line: for each round the longest stall, and what the cause had to do.
"""

import asyncio
import base64
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
import uvloop
import yaml
from mydata_sandbox.credentials.tokens import sign
from mydata_sandbox.environment.build import build

from harness.gateway_scene import BANK, Scene
from harness.loop_lag import LagProbe
from harness.procfs import rss_mb
from harness.seed_tokens import SeedToken, build_consent, record_seed_tokens
from relay.domain.authorization.consent import Consent
from relay.domain.authorization.issued_tokens import TokenKind, TokenRecord
from relay.domain.registry import Organisation, OrgType, Registry
from relay.runtime.commands.migrate import prepare_ledger
from relay.runtime.processes.gateway import GatewayProcess
from relay.runtime.settings.loading import load_settings

SETTLE_S: Final = 0.3
"""Consequences of a cause (a collection, a batch) appear within this time."""

Work = Callable[[], Awaitable[object]]
"""What may stall the loop: it is measured from its beginning until `SETTLE_S` after its end."""


async def prepare_collections(scene: Scene) -> Work:
    """Remembers `size` tokens, then opens and closes connections until the collector has run many times."""
    verifier, grants = scene.relay.state.token_verifier, scene.relay.grants
    scene.relay.grants.trust_s = float("inf")
    head = sign(scene.claims(), scene.environment.token_key).encode().split(b".")[0]
    setattr(jwt.api_jws, "decode", read_unverified)  # noqa: B010 - signatures of 1,000,000 tokens would take minutes
    setattr(scene.relay.ledger, "find_token_and_consent", Consents(scene).find)  # noqa: B010 - nor is SQL measured
    before = rss_mb([os.getpid()])
    scene.probe.reset()
    for number in range(scene.size):
        claims = scene.claims() | {"jti": f"{number:032x}", "cid": "c" * 32}
        parts = head, encode(json.dumps(claims, separators=(",", ":")).encode()), encode(scene.random.randbytes(256))
        await grants.fetch(verifier.verify(b"Bearer " + b".".join(parts), time.time()).jti)
    scene.note["bytes_per_token"] = round((rss_mb([os.getpid()]) - before) * 2**20 / scene.size)
    scene.note["tokens"] = len(verifier)
    scene.note["collected_ms"] = scene.probe.report()["collected_ms"]

    async def churn() -> None:
        for _ in range(100):
            for connection in [scene.connect() for _ in range(50)]:
                connection.connection_lost(None)
            await asyncio.sleep(0.002)

    return churn


class Consents:
    """Answers for the ledger: each token has a customer and a consent of its own."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._consent = build_consent(SeedToken(scene.claims(), ""), datetime.now(UTC))

    async def find(self, jti: str) -> tuple[TokenRecord, Consent]:
        """Returns the record of an access token and its consent."""
        random, consent = self._scene.random, self._consent
        end_date = consent.particulars.end_date - timedelta(days=random.randrange(364))
        particulars = replace(consent.particulars, end_date=end_date)
        ci = base64.b64encode(random.randbytes(64)).decode()
        return TokenRecord(jti, TokenKind.ACCESS, "c", "bank.list", 1, 2, b""), replace(
            consent, particulars=particulars, ci=ci
        )


def encode(data: bytes) -> bytes:
    """Returns base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def read_unverified(token: bytes, *_: object, **__: object) -> bytes:
    """Returns the payload of a token without a look at its signature."""
    payload = token.split(b".")[1]
    return base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))


async def prepare_first_seen(scene: Scene) -> Work:
    """Sends `size` calls with tokens that were never seen in one turn of the loop."""

    async def burst() -> None:
        await scene.call(await make_requests(scene))

    return burst


async def prepare_known(scene: Scene) -> Work:
    """Sends `size` calls with remembered tokens in one turn of the loop: what remains when nothing is verified."""
    requests = await make_requests(scene)
    await scene.call(requests)
    return lambda: scene.call(requests)


async def make_requests(scene: Scene) -> list[bytes]:
    """Returns `size` calls with new tokens, which the relay answers itself from their grants."""
    claims, now = [scene.claims() for _ in range(scene.size)], datetime.now(UTC)
    seeds = [SeedToken(each, scene.random.randbytes(44).hex()) for each in claims]
    await record_seed_tokens(scene.relay.ledger, [(seed, build_consent(seed, now)) for seed in seeds], now)
    return [request(sign(each, scene.environment.token_key)) for each in claims]


def request(token: str) -> bytes:
    """Returns a call of 정보제공-공통-002."""
    return (
        f"GET /v1/bank/consents?org_code={BANK} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {token}\r\n"
        "x-api-tran-id: ZOPA000001M00000000000001\r\nx-api-type: user-refresh\r\n\r\n"
    ).encode()


async def prepare_records(scene: Scene) -> Work:
    """Records `size` exchanges at once: metrics, statistics and lines of the access log."""
    exchanges = scene.exchanges(scene.size)

    async def write() -> None:
        for exchange in exchanges:
            scene.relay.records.record(exchange)
        await asyncio.sleep(0.1)

    return write


async def prepare_scrape(scene: Scene) -> Work:
    """Reads /metrics once, with the counters of 200 institutions and `size` exchanges of all kinds."""
    scene.relay.metrics.record(scene.exchanges(scene.size))
    url = f"http://127.0.0.1:{scene.process.admin.port}/metrics"
    code = f"import urllib.request; print(len(urllib.request.urlopen({url!r}, timeout=60).read()))"

    async def scrape() -> None:  # in a process of its own: reading takes the interpreter too
        reader = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
        output, _ = await reader.communicate()
        scene.note["bytes"] = int(output)

    return scrape


async def prepare_statistics(scene: Scene) -> Work:
    """Flushes the counts of `size` exchanges into the ledger."""
    exchanges = scene.exchanges(scene.size)

    async def flush() -> None:
        for at in range(0, scene.size, 250):
            scene.relay.counter.count(exchanges[at : at + 250])
            await asyncio.sleep(0)
        await scene.relay.counter.flush()
        while scene.relay.counter.waiting:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.01)

    return flush


async def prepare_reload(scene: Scene) -> Work:
    """Reloads the settings of `size` institutions, one of which has changed."""
    folder = scene.environment.folder / "providers"
    bank = yaml.safe_load((folder / "bank.yaml").read_text())
    for number in range(scene.size):
        values = bank | {"org_code": f"ZBAB{number:06}"}
        (folder / f"added{number}.yaml").write_text(yaml.safe_dump(values, allow_unicode=True))
    await scene.process.reload()

    async def reload() -> None:
        values = bank | {"concurrency": scene.random.randrange(2, 60)}
        (folder / "bank.yaml").write_text(yaml.safe_dump(values, allow_unicode=True))
        await scene.process.reload()
        scene.note["institutions"] = len(scene.relay.gateway.plan.institutions)

    return reload


async def prepare_registry(scene: Scene) -> Work:
    """Applies a registry of `size` operators, all of them changed."""

    async def apply() -> None:
        names = [f"Z{number:09}" for number in range(scene.size)]
        organisations = {
            name: Organisation(name, OrgType.OPERATOR, str(time.time()), f"999-{name}", ("192.0.2.1",))
            for name in names
        }
        scene.probe.reset()
        await scene.relay.apply_registry(Registry(organisations, {}, number=1))

    return apply


CAUSES: Final[dict[str, tuple[Callable[[Scene], Awaitable[Work]], int, str]]] = {
    "collection": (prepare_collections, 100_000, "garbage collections with {} tokens"),
    "first_seen": (prepare_first_seen, 1_000, "{} calls with new tokens in one turn"),
    "known": (prepare_known, 1_000, "{} calls with known tokens in one turn"),
    "records": (prepare_records, 3_000, "{} access records at once"),
    "scrape": (prepare_scrape, 24_000, "a scrape of /metrics after {} exchanges"),
    "statistics": (prepare_statistics, 10_000, "{} exchanges counted into the ledger"),
    "reload": (prepare_reload, 200, "a reload of {} institutions"),
    "registry": (prepare_registry, 10_000, "a registry of {} changed operators"),
}
"""What prepares each cause, its usual size, and its description."""


async def measure(cause: str, rounds: int, size: int, folder: Path) -> dict[str, Any]:
    """Runs a gateway and the cause `rounds` times. Returns the longest stall of each round."""
    environment = build(folder, datetime.now(UTC))
    environment.close()
    await prepare_ledger(load_settings(environment.settings, {}).settings.ledger)
    process = GatewayProcess(environment.settings)
    serving = asyncio.create_task(process.run())
    while not process.ports:  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(0.05)
    scene = Scene(process, environment, size, LagProbe(asyncio.get_running_loop()))
    reports = []
    try:
        work = await CAUSES[cause][0](scene)
        for _ in range(rounds):
            await asyncio.sleep(SETTLE_S)
            scene.probe.reset()
            await work()
            await asyncio.sleep(SETTLE_S)
            reports.append(scene.probe.report())
        scene.note["rss_mb"] = round(rss_mb([os.getpid()]))
    finally:
        process.stop()
        process.stop()  # at once
        await serving
    return {"cause": cause, "size": size, "rounds": reports, **scene.note}


def main(cause: str, rounds: str, size: str) -> None:
    """Measures and prints one JSON line."""
    os.environ |= {
        f"RELAY__RATES__{rate}__{key}": "1000000"
        for rate in ("OPERATOR_PROVIDER", "PROVIDER")
        for key in ("PER_SECOND", "BURST")
    }
    os.environ["RELAY__GATEWAY__DRAIN__DELAY_S"] = "0"
    if cause == "collection":
        os.environ["RELAY__TOKENS__MEMORY"] = str(2 * int(size))
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(measure(cause, int(rounds), int(size), Path(folder) / "sandbox"))))


if __name__ == "__main__":
    main(*sys.argv[1:])
