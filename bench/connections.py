"""Measures the gateway's memory after many ended connections. See bench/README.md."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Final

import click
from harness import orders, procfs
from harness.gateways import Gateway, SharedConfig, prepare, upstream_argv
from harness.hanging_up import KINDS, Plan
from harness.identity import Identity, make_identity
from harness.install import NotInstallable, compiled
from harness.layout import BENCH, BUILD, OUT, ROOT, SIZES, SMALL, free_ports
from harness.processes import NotStarted, cores, pinned, running

FIRST: Final = 20_000
LAST: Final = 200_000
CALLERS: Final = 240
RATIO: Final = 1.3
"""Largest memory after the last connection over that after the first 20,000: more is a leak."""

_GONE_S: Final = 60.0
_OPEN: Final = re.compile(r"^relay_connections (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    """The gateway's resident memory after so many ended connections, and connections per second."""

    connections: int
    rss_mb: float
    per_second: float


def open_connections(admin: int) -> float:
    """Returns the number of open connections from the gateway's metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as answer:
        match = _OPEN.search(answer.read().decode())
    if match is None:
        raise ValueError("/metrics has no relay_connections")
    return float(match[1])


def settle(admin: int) -> None:
    """Waits until every connection is closed."""
    deadline = time.monotonic() + _GONE_S
    while open_connections(admin):
        if time.monotonic() > deadline:
            raise TimeoutError("connections stay open although their callers ended")
        time.sleep(0.2)


def plan_of(identity: Identity, gateway: Gateway, kinds: tuple[str, ...], callers: int, listener: str) -> Plan:
    """Returns the plan of callers for this gateway."""
    request = orders.get(identity.token(), SMALL).wire().decode()
    if listener == "plain":
        return Plan(gateway.ports.plain, 0, callers, kinds, request)
    paths = (identity.path("ca.pem"), identity.path("operator.pem"), identity.path("operator.key"))
    return Plan(gateway.ports.mtls, 0, callers, kinds, request, *paths)


def measure(
    gateway: Gateway, pid: int, plan: Plan, counts: tuple[int, ...], report: Callable[[Sample], None]
) -> list[Sample]:
    """Measures the memory of the process `pid` after each of these numbers of connections."""
    before, samples = 0, list[Sample]()
    for count in counts:
        values = asdict(plan) | {"count": count - before}
        script = Plan(**values).write(BUILD / "connections.json")
        started_at = time.monotonic()
        argv = [sys.executable, str(BENCH / "harness" / "hanging_up.py"), str(script)]
        subprocess.run(pinned(cores()[1], argv), check=True, cwd=ROOT)
        took = time.monotonic() - started_at
        settle(gateway.ports.admin)
        samples.append(Sample(count, round(procfs.rss_mb([pid]), 1), round((count - before) / took, 1)))
        report(samples[-1])
        before = count
    return samples


@click.command()
@click.option(
    "--first", type=click.IntRange(1), default=FIRST, show_default=True, help="Connections before the first look."
)
@click.option("--count", type=click.IntRange(1), default=LAST, show_default=True, help="Connections in all.")
@click.option("--callers", type=click.IntRange(1), default=CALLERS, show_default=True, help="Callers at a time.")
@click.option("--listener", type=click.Choice(["mtls", "plain"]), default="mtls", show_default=True)
@click.option("--kinds", default="call", show_default=True, help=f"How they end, by commas, of {', '.join(KINDS)}.")
def main(*, first: int, count: int, callers: int, listener: str, kinds: str) -> None:
    """Let callers connect, call once and hang up; measure the gateway's memory. QUICK=1 makes a tenth of them."""
    tenth = 10 if os.environ.get("QUICK", "") not in {"", "0"} else 1
    counts = (first // tenth, count // 2 // tenth, count // tenth)
    gateway_core, other = cores()
    upstreams = dict(zip(SIZES, free_ports(len(SIZES)), strict=True))
    identity = make_identity(BUILD / "identity")
    gateway = prepare("relay", SharedConfig(identity, upstreams))
    plan, logs = plan_of(identity, gateway, tuple(kinds.split(",")), callers, listener), BUILD / "logs"
    try:
        upstream = upstream_argv(compiled("upstream"), upstreams)
        with ExitStack() as stack:
            stack.enter_context(running(upstream, other, list(upstreams.values()), logs / "upstream.log", ROOT))
            process = running(gateway.argv, gateway_core, gateway.wait_for(), logs / "relay.log", ROOT)
            pid = stack.enter_context(process).pid
            samples = measure(gateway, pid, plan, counts, lambda sample: click.echo(json.dumps(asdict(sample))))
    except (NotInstallable, NotStarted, subprocess.CalledProcessError) as error:
        raise click.ClickException(str(error)) from error
    OUT.mkdir(parents=True, exist_ok=True)
    result = [asdict(sample) for sample in samples]
    (OUT / "connections.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    ratio = samples[-1].rss_mb / samples[0].rss_mb
    click.echo(f"memory after {counts[-1]:,} connections is {ratio:.2f} of that after {counts[0]:,}")
    if ratio > RATIO:
        raise click.ClickException(f"more than {RATIO}: ended connections leave something behind")


if __name__ == "__main__":
    main()
