"""Measures good calls beside hostile peers: what each peer costs the others. See docs/design/benchmark.md."""

import asyncio
import json
import shutil
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import uvloop
from harness import procfs
from hostile.environment import NotReady, Options, Running, new_folder, start_relay
from hostile.figures import Call, Memory, Result, count_records, phase_of, table_of
from hostile.load_client import ADMIN, DATA, PAGES, REFRESH, Load
from hostile.peers import PEERS, Peer
from rich.console import Console

EXAMPLES = """\b
Examples:
  .venv/bin/python bench/hostile_peers.py --list                        the peers
  .venv/bin/python bench/hostile_peers.py --peer bad-tokens             one of them
  .venv/bin/python bench/hostile_peers.py --peer hang-ups --peer idle-pages --seconds 10
  .venv/bin/python bench/hostile_peers.py --json > hostile.json         all of them, about 12 s each
"""
RATES: Final = {REFRESH: 5.0, PAGES: 5.0, ADMIN: 5.0}
WARM_S: Final = 1.5
SETTLED_S: Final = 1.5
"""Pause after a peer has ended, before memory is read and records are counted."""


@dataclass(frozen=True, slots=True)
class Times:
    """Calls per second, and seconds of each phase."""

    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Span:
    """Start and end on the monotonic clock."""

    begun: float
    ended: float

    def calls_of(self, kind: str, calls: Sequence[Call]) -> list[Call]:
        """Returns calls of one kind that were due in it."""
        return [call for call in calls if call.kind == kind and self.begun <= call.due < self.ended]


async def measure(name: str, peer: Peer, times: Times) -> list[Result]:
    """Runs one peer against a new relay; returns a result for each kind of good call."""
    folder = new_folder()
    options = Options(peer.reads_stderr, peer.name_server_hangs)
    try:
        async with start_relay(folder, options) as relay:
            return await _beside(relay, folder, name, peer, times)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _beside(relay: Running, folder: Path, name: str, peer: Peer, times: Times) -> list[Result]:
    relay.world.save(folder / "world.json")
    script = Path(__file__).parent / "hostile" / "peer_process.py"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        name,
        str(folder / "world.json"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await process.stdout.readline()
        load, stop = Load(relay.world), asyncio.Event()
        rates = {DATA: times.rate} | {kind: RATES[kind] for kind in peer.also}
        sending = [asyncio.create_task(load.run(kind, rate, stop)) for kind, rate in rates.items()]
        await asyncio.sleep(WARM_S + times.seconds)
        before, ready = _memory(relay), time.monotonic()
        process.stdin.write(b"begin\n")
        await process.stdout.readline()
        begun = time.monotonic()
        await asyncio.sleep(times.seconds)
        ended = time.monotonic()
        process.stdin.write(b"end\n")
        stop.set()
        await asyncio.gather(*sending)
        await load.finish()
        did = json.loads(await process.stdout.readline() or b"{}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    await asyncio.sleep(SETTLED_S)
    spans = (Span(ready - times.seconds, ready), Span(begun, ended))
    return [_result(relay, name, kind, load.calls, spans, before, did) for kind in rates]


def _result(
    relay: Running,
    name: str,
    kind: str,
    calls: Sequence[Call],
    spans: tuple[Span, Span],
    before: tuple[float, float],
    did: dict[str, int],
) -> Result:
    answered = {call.tran_id for call in calls if call.kind == DATA and not call.error}
    after = _memory(relay)
    with relay.records.open(errors="replace") as lines:
        record_count = count_records(lines, answered)
    return Result(
        peer=name,
        kind=kind,
        calm=phase_of(spans[0].calls_of(kind, calls)),
        beside=phase_of(spans[1].calls_of(kind, calls)),
        records=(record_count, len(answered)),
        lost=_lost(relay),
        gateway=Memory(before[0], after[0]),
        authority=Memory(before[1], after[1]),
        output_mb=round((relay.output.stat().st_size + relay.records.stat().st_size) / 1e6, 2),
        attempts=did,
    )


def _memory(relay: Running) -> tuple[float, float]:
    return round(procfs.rss_mb([relay.gateway]), 1), round(procfs.rss_mb([relay.authority]), 1)


def _lost(relay: Running) -> int:
    """Returns the number of lost records from /metrics; -1 without a response."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{relay.world.admin}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return -1
    return next((int(float(line.split()[-1])) for line in lines if line.startswith("relay_access_log_lost")), -1)


def _run(names: Sequence[str], times: Times, progress: Console) -> list[Result]:
    results: list[Result] = []
    for number, name in enumerate(names, 1):
        progress.print(f"{number}/{len(names)} {name}: {PEERS[name].summary}", highlight=False)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            peer_results = runner.run(measure(name, PEERS[name], times))
        results += peer_results
        for result in peer_results:
            p99 = f"p99 {result.calm.p99_ms:.1f} → {result.beside.p99_ms:.1f} ms"
            figures = f"    {result.kind}: {p99}, failed {result.beside.failed}"
            progress.print(
                f"{figures}, did {result.attempts}, problems: {', '.join(result.problems) or 'none'}", highlight=False
            )
            if result.beside.first_error:
                progress.print(f"    first error: {result.beside.first_error}", highlight=False, markup=False)
    return results


def _listed() -> str:
    width = max(map(len, PEERS))
    return "\n".join(f"{name:{width}}  {peer.summary}" for name, peer in PEERS.items())


@click.command(epilog=EXAMPLES)
@click.option("--peer", "peers", multiple=True, type=click.Choice(list(PEERS)), metavar="NAME", help="Only this peer.")
@click.option("--seconds", type=click.FloatRange(1), default=5.0, show_default=True, help="Calm, and beside the peer.")
@click.option("--rate", type=click.FloatRange(1), default=200.0, show_default=True, help="Good data calls a second.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON; progress goes to stderr.")
@click.option("--list", "only_list", is_flag=True, help="List the peers.")
def main(*, peers: tuple[str, ...], seconds: float, rate: float, as_json: bool, only_list: bool) -> None:
    """Measure good calls in calm and beside each hostile peer; exit 1 when a peer hurts them.

    Each peer gets a relay of its own on loopback. Two operators call over mutual TLS at a constant rate; latency
    counts from the time a call was due.
    """
    if only_list:
        click.echo(_listed())
        return
    progress = Console(stderr=True, width=None if sys.stderr.isatty() else 160)
    try:
        results = _run(peers or list(PEERS), Times(rate, seconds), progress)
    except NotReady as error:
        raise click.ClickException(f"the relay did not become ready:\n{error}") from error
    rows: list[dict[str, Any]] = [result.row() for result in results]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        Console(width=None if sys.stdout.isatty() else 80).print(table_of(results))
    if any(result.problems for result in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
