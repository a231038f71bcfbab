"""Measures what a changed registry costs concurrent calls. See bench/README.md."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import yaml
from harness import procfs
from harness.cases import CASES
from harness.gateways import upstream_argv
from harness.identity import Identity, make_identity
from harness.install import NotInstallable, compiled
from harness.layout import BENCH, BUILD, CLIENT_ID, OPERATOR, OUT, RELAY, ROOT, SERIAL, SIZES, Ports, free_ports
from harness.load import Load, LoadFailed, generator
from harness.processes import NotStarted, cores, running
from harness.relay_settings import write_relay_settings
from rich.console import Console
from rich.table import Table

from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger

CONNECTIONS: Final = 16
PACE: Final = 200
"""Calls per second: enough to notice a stall, not to fill the core."""

AHEAD_S: Final = 1.0
LASTS_S: Final = 6.0
TAKEN_S: Final = 60.0
PORTAL: Final = {
    "org_code": "ZPTL000001",
    "base_url": "https://portal.example",
    "serial_num": "999-81-00002",
    "addresses": ["192.0.2.9"],
    "calls": {"client_id": "relayatportal", "client_secret": "env:BENCH_PORTAL_SECRET"},
    "offers": {"client_id": "portalatrelay", "client_secret_hash": f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"},
}
Organisations = dict[str, Organisation | None]
Services = dict[str, RegisteredService | None]


@dataclass(frozen=True, slots=True)
class Step:
    """One sync: its name and its changes."""

    name: str
    organisations: Organisations
    services: Services

    @property
    def rows(self) -> int:
        """Number of changed rows."""
        return len(self.organisations) + len(self.services)


@dataclass(frozen=True, slots=True)
class StepResult:
    """Figures of one sync, reported by the gateway and measured by the calls. All times in milliseconds."""

    name: str
    rows: int
    figures: Mapping[str, float]
    load: Load
    steal: float


def caller() -> RegistryChanges:
    """Returns the operator that calls."""
    organisation = Organisation(OPERATOR, OrgType.OPERATOR, "Benchmark operator", SERIAL, ("127.0.0.1/32",))
    service = RegisteredService(CLIENT_ID, OPERATOR, "Benchmark service", "$scrypt$")
    return RegistryChanges({OPERATOR: organisation}, {CLIENT_ID: service}, "1", "1")


def operator(number: int) -> Organisation:
    """Returns an operator with its own address and network."""
    addresses = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"172.16.{number % 250}.0/28")
    return Organisation(f"ZO{number:08}", OrgType.OPERATOR, f"Operator {number}", f"{number:010}", addresses)


def institution(number: int) -> Organisation:
    """Returns an institution; types alternate, every tenth is a member of this relay."""
    kind = list(OrgType)[number % len(OrgType)]
    made = replace(operator(number), org_code=f"ZI{number:08}", org_type=kind, name=f"Institution {number}")
    member = {"org_type": OrgType.THROUGH_RELAY, "relay": RELAY, "slots": ("0000:0700", "2200:2400")}
    return replace(made, **member) if number % 10 == 0 else made


def service_of(number: int) -> RegisteredService:
    """Returns a service of an operator."""
    callbacks = (f"https://app{number}.example/mydata/callback",)
    secret_hash = f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"
    code, client_id = f"ZO{number:08}", f"service{number:08}"
    return RegisteredService(client_id, code, f"Service {number}", secret_hash, callbacks, (), b"m" * 32)


def steps(count: int) -> Iterator[Step]:
    """Yields the measured steps; each starts with the registry of the one before."""
    operators: Organisations = {each.org_code: each for each in map(operator, range(count))}
    services: Services = {each.client_id: each for each in map(service_of, range(count))}
    institutions: Organisations = {each.org_code: each for each in map(institution, range(count))}
    most = max(1, count // 20)
    yield Step("nothing changes", {}, {})
    yield Step("operators come", operators, services)
    yield Step("one operator changes", _renamed(operators, 1, "Inc."), {})
    yield Step("5 % of them change", _renamed(operators, most, "Co."), {})
    yield Step("operators go", dict.fromkeys(operators), dict.fromkeys(services))
    yield Step("institutions come", institutions, {})
    yield Step("one institution changes", _renamed(institutions, 1, "Inc."), {})
    yield Step("institutions go", dict.fromkeys(institutions), {})


def _renamed(organisations: Organisations, most: int, kind: str) -> Organisations:
    first = list(organisations.items())[:most]
    return {code: None if each is None else replace(each, name=f"{each.name} {kind}") for code, each in first}


def settings_in(folder: Path, identity: Identity, upstreams: dict[str, int], ports: Ports) -> Path:
    """Writes settings of a relay with a portal."""
    config = write_relay_settings(folder, identity, upstreams, ports)
    values: dict[str, Any] = yaml.safe_load(config.read_text())
    values |= {"portal": PORTAL, "statistics": {"spool": str(folder / "spool")}}
    config.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return config


class Bench:
    """A gateway on one core, callers and institutions on the other, and their ledger."""

    def __init__(self, ledger: SqlLedger, pid: int, output: Path, client: tuple[str, list[str]]) -> None:
        self._ledger, self._pid, self._output, self._client = ledger, pid, output, client

    async def step(self, step: Step) -> StepResult:
        """Writes a sync, starts the calls, lets the gateway read the registry, and returns all figures."""
        program, flags = self._client
        number = await take(self._ledger, RegistryChanges(step.organisations, step.services, "1", "1"))
        before, figures = procfs.clock(), dict[str, float]()
        with generator(program, cores()[1], flags) as calls:
            calls.go()
            await asyncio.sleep(AHEAD_S)
            if step.rows:
                os.kill(self._pid, signal.SIGUSR1)
                figures = await self._wait_for_report(number)
            load_result = await asyncio.to_thread(calls.result)
        return StepResult(step.name, step.rows, figures, load_result, procfs.clock().steal_since(before))

    async def _wait_for_report(self, number: int) -> dict[str, float]:
        """Returns the gateway's figures of the registry with this number."""
        async with asyncio.timeout(TAKEN_S):
            while (figures := self._last_report())["number"] != number:  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.05)
        return figures

    def _last_report(self) -> dict[str, float]:
        lines = self._output.read_text().splitlines() if self._output.exists() else []
        figures: dict[str, float] = json.loads(lines[-1]) if lines else {"number": 0}
        return figures


async def take(ledger: SqlLedger, changes: RegistryChanges) -> int:
    """Applies a sync as the leader does; returns the number of its last change."""
    now = int(time.time())
    fence = await ledger.jobs.take_lead("bench", 600, now)
    judged = (await ledger.registry.registry_head()).number
    return await ledger.registry.apply(changes, fence, now, judged=judged)


async def measure(count: int, rounds: int, programs: tuple[str, str], console: Console) -> list[StepResult]:
    """Measures all steps on one gateway; `programs` are those of institutions and load."""
    gateway_core, other = cores()
    upstream, loadgen = programs
    upstreams, ports = dict(zip(SIZES, free_ports(len(SIZES)), strict=True)), Ports(*free_ports(4))
    folder, logs, results = BUILD / "directory", BUILD / "logs", list[StepResult]()
    shutil.rmtree(folder, ignore_errors=True)
    identity, output = make_identity(folder / "identity"), folder / "lag.jsonl"
    config = await asyncio.to_thread(settings_in, folder, identity, upstreams, ports)
    case = CASES["get_mtls"]
    flags = [*case.flags(identity), "--port", str(ports.mtls), "--connections", str(CONNECTIONS)]
    flags += ["--rate", str(PACE), "--warm", "0.3", "--seconds", str(LASTS_S)]
    ledger = build_ledger(load_settings(config, os.environ).settings.ledger)
    argv = [sys.executable, str(BENCH / "harness" / "loop_lag.py"), str(config), str(output)]
    try:
        await take(ledger, caller())
        with ExitStack() as stack:
            listeners = list(upstreams.values())
            stack.enter_context(
                running(upstream_argv(upstream, upstreams), other, listeners, logs / "upstream.log", ROOT)
            )
            gateway = running(argv, gateway_core, [ports.mtls], logs / "directory.log", ROOT)
            bench = Bench(ledger, stack.enter_context(gateway).pid, output, (loadgen, flags))
            for _ in range(rounds):
                for step in steps(count):
                    results.append(await bench.step(step))
                    console.print(_line(results[-1]), highlight=False)
    finally:
        await ledger.close()
    return results


def _line(result: StepResult) -> str:
    times = "  ".join(f"{name} {value:g}" for name, value in result.figures.items() if name.endswith("_ms"))
    calls = f"calls p99 {result.load.p99_ms:.1f} max {result.load.max_ms:.1f} ms, {result.load.errors} errors"
    return f"{result.rows:6} rows  {result.name:24}  {times}  {calls}  steal {result.steal:.1%}"


COLUMNS: Final = ("read_ms", "compile_ms", "stall_ms", "busy_ms", "collected_ms")


def table_of(results: list[StepResult]) -> Table:
    """Returns the table for people: the worst of each step over all rounds."""
    table = Table(title="A registry that changes while calls go on (ms, the worst of all rounds)", title_justify="left")
    table.add_column("what happens")
    for head in ("rows", "read", "compile", "stall", "busy", "collector", "call p99", "call max"):
        table.add_column(head, justify="right")
    for name, rows in dict.fromkeys((result.name, result.rows) for result in results):
        mine = [result for result in results if (result.name, result.rows) == (name, rows)]
        worst = [max(result.figures.get(column, 0.0) for result in mine) for column in COLUMNS]
        calls = [max(result.load.p99_ms for result in mine), max(result.load.max_ms for result in mine)]
        table.add_row(name, f"{rows:,}", *(f"{value:,.1f}" for value in (*worst, *calls)))
    return table


@click.command()
@click.option("--count", type=click.IntRange(20), default=10_000, show_default=True, help="Operators; institutions.")
@click.option("--rounds", type=click.IntRange(1), help="Runs of all steps.")
def main(*, count: int, rounds: int | None) -> None:
    """Measure reading and compiling a changed registry, and concurrent calls; QUICK=1 runs each step once."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    quick, begun = os.environ.get("QUICK", "") not in {"", "0"}, time.monotonic()
    os.environ.setdefault("BENCH_PORTAL_SECRET", "unused")
    try:
        programs = compiled("upstream"), compiled("loadgen", "-lssl", "-lcrypto")
        results = asyncio.run(measure(count, rounds or (1 if quick else 3), programs, console))
    except (NotInstallable, NotStarted, LoadFailed) as error:
        raise click.ClickException(str(error)) from error
    OUT.mkdir(parents=True, exist_ok=True)
    result = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "steps": [asdict(each) for each in results]}
    (OUT / "directory.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(table_of(results))
    console.print(f"{len(results)} steps, {time.monotonic() - begun:.0f} s, bench/out/directory.json")
    if errors := sum(each.load.errors for each in results):
        raise click.ClickException(f"{errors} answers were wrong: these figures do not count")


if __name__ == "__main__":
    main()
