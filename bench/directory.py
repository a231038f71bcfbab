"""What a registry that changes costs the calls that go on meanwhile. See bench/README.md."""

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
from rich.console import Console
from rich.table import Table
from rig import procfs
from rig.cases import CASES
from rig.gateways import upstream_argv
from rig.identity import Identity, make_identity
from rig.install import NotInstallable, compiled
from rig.layout import BENCH, BUILD, CLIENT_ID, OPERATOR, OUT, RELAY, ROOT, SERIAL, SIZES, Ports, free_ports
from rig.load import Load, LoadFailed, generator
from rig.processes import NotStarted, cores, running
from rig.relay_settings import write_relay_settings

from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.runtime.settings.loading import load
from relay.runtime.wiring.ledger import opened

CONNECTIONS: Final = 16
PACE: Final = 200
"""Calls each second: they are there to feel a stall, not to fill the core."""

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
    """One sync: what it shows, what it changes."""

    name: str
    organisations: Organisations
    services: Services

    @property
    def rows(self) -> int:
        """How many rows change."""
        return len(self.organisations) + len(self.services)


@dataclass(frozen=True, slots=True)
class Seen:
    """How one sync went: what the gateway told of itself, what the calls felt. All times in milliseconds."""

    name: str
    rows: int
    told: Mapping[str, float]
    load: Load
    steal: float


def caller() -> RegistryChanges:
    """The operator whose calls go on."""
    organisation = Organisation(OPERATOR, OrgType.OPERATOR, "Benchmark operator", SERIAL, ("127.0.0.1/32",))
    service = RegisteredService(CLIENT_ID, OPERATOR, "Benchmark service", "$scrypt$")
    return RegistryChanges({OPERATOR: organisation}, {CLIENT_ID: service}, "1", "1")


def operator(number: int) -> Organisation:
    """An operator with an address and a network of its own."""
    addresses = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"172.16.{number % 250}.0/28")
    return Organisation(f"ZO{number:08}", OrgType.OPERATOR, f"Operator {number}", f"{number:010}", addresses)


def institution(number: int) -> Organisation:
    """An institution; types take turns, every tenth is a member of this relay."""
    kind = list(OrgType)[number % len(OrgType)]
    made = replace(operator(number), org_code=f"ZI{number:08}", org_type=kind, name=f"Institution {number}")
    member = {"org_type": OrgType.THROUGH_RELAY, "relay": RELAY, "slots": ("0000:0700", "2200:2400")}
    return replace(made, **member) if number % 10 == 0 else made


def service_of(number: int) -> RegisteredService:
    """One service of an operator."""
    callbacks = (f"https://app{number}.example/mydata/callback",)
    secret_hash = f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"
    code, client_id = f"ZO{number:08}", f"service{number:08}"
    return RegisteredService(client_id, code, f"Service {number}", secret_hash, callbacks, (), b"m" * 32)


def steps(count: int) -> Iterator[Step]:
    """What is measured, in this order: each step begins where the one before ended."""
    operators: Organisations = {one.org_code: one for one in map(operator, range(count))}
    services: Services = {one.client_id: one for one in map(service_of, range(count))}
    institutions: Organisations = {one.org_code: one for one in map(institution, range(count))}
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
    some = list(organisations.items())[:most]
    return {code: None if one is None else replace(one, name=f"{one.name} {kind}") for code, one in some}


def settings_in(folder: Path, identity: Identity, upstreams: dict[str, int], ports: Ports) -> Path:
    """Settings of a relay with a portal."""
    config = write_relay_settings(folder, identity, upstreams, ports)
    values: dict[str, Any] = yaml.safe_load(config.read_text())
    values |= {"portal": PORTAL, "statistics": {"spool": str(folder / "spool")}}
    config.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return config


class Bench:
    """A gateway on one core, its callers and institutions on the other, the ledger between."""

    def __init__(self, ledger: SqlLedger, pid: int, beats: Path, client: tuple[str, list[str]]) -> None:
        self._ledger, self._pid, self._beats, self._client = ledger, pid, beats, client

    async def step(self, step: Step) -> Seen:
        """Write a sync, begin the calls, let the gateway look: its figures, and theirs."""
        program, flags = self._client
        number = await take(self._ledger, RegistryChanges(step.organisations, step.services, "1", "1"))
        before, told = procfs.clock(), dict[str, float]()
        with generator(program, cores()[1], flags) as calls:
            calls.go()
            await asyncio.sleep(AHEAD_S)
            if step.rows:
                os.kill(self._pid, signal.SIGUSR1)
                told = await self._told(number)
            seen = await asyncio.to_thread(calls.result)
        return Seen(step.name, step.rows, told, seen, procfs.clock().steal_since(before))

    async def _told(self, number: int) -> dict[str, float]:
        """What the gateway told of the registry with this number."""
        async with asyncio.timeout(TAKEN_S):
            while (told := self._last())["number"] != number:  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.05)
        return told

    def _last(self) -> dict[str, float]:
        lines = self._beats.read_text().splitlines() if self._beats.exists() else []
        told: dict[str, float] = json.loads(lines[-1]) if lines else {"number": 0}
        return told


async def take(ledger: SqlLedger, changes: RegistryChanges) -> int:
    """A sync of the leader's; the number of the last change."""
    now = int(time.time())
    fence = await ledger.jobs.new_fence("bench", 600, now)
    judged = (await ledger.registry.registry_head()).number
    return await ledger.registry.take(changes, fence, now, judged=judged)


async def measured(count: int, rounds: int, programs: tuple[str, str], console: Console) -> list[Seen]:
    """All steps on a gateway of this session; `programs` are the institutions' and the load's."""
    gateway_core, other = cores()
    upstream, loadgen = programs
    upstreams, ports = dict(zip(SIZES, free_ports(len(SIZES)), strict=True)), Ports(*free_ports(4))
    folder, logs, found = BUILD / "directory", BUILD / "logs", list[Seen]()
    shutil.rmtree(folder, ignore_errors=True)
    identity, beats = make_identity(folder / "identity"), folder / "beats"
    config = await asyncio.to_thread(settings_in, folder, identity, upstreams, ports)
    case = CASES["get_mtls"]
    flags = [*case.flags(identity), "--port", str(ports.mtls), "--connections", str(CONNECTIONS)]
    flags += ["--rate", str(PACE), "--warm", "0.3", "--seconds", str(LASTS_S)]
    ledger = await opened(load(config, os.environ).settings.ledger)
    argv = [sys.executable, str(BENCH / "rig" / "beating.py"), str(config), str(beats)]
    try:
        await take(ledger, caller())
        with ExitStack() as stack:
            doors = list(upstreams.values())
            stack.enter_context(running(upstream_argv(upstream, upstreams), other, doors, logs / "upstream.log", ROOT))
            gateway = running(argv, gateway_core, [ports.mtls], logs / "directory.log", ROOT)
            bench = Bench(ledger, stack.enter_context(gateway).pid, beats, (loadgen, flags))
            for _ in range(rounds):
                for step in steps(count):
                    found.append(await bench.step(step))
                    console.print(_line(found[-1]), highlight=False)
    finally:
        await ledger.close()
    return found


def _line(one: Seen) -> str:
    told = "  ".join(f"{name} {value:g}" for name, value in one.told.items() if name.endswith("_ms"))
    felt = f"calls p99 {one.load.p99_ms:.1f} max {one.load.max_ms:.1f} ms, {one.load.errors} errors"
    return f"{one.rows:6} rows  {one.name:24}  {told}  {felt}  steal {one.steal:.1%}"


COLUMNS: Final = ("read_ms", "compile_ms", "stall_ms", "busy_ms", "collected_ms")


def table_of(found: list[Seen]) -> Table:
    """For people: the worst of each step over all rounds."""
    table = Table(title="A registry that changes while calls go on (ms, the worst of all rounds)", title_justify="left")
    table.add_column("what happens")
    for head in ("rows", "read", "compile", "stall", "busy", "collector", "call p99", "call max"):
        table.add_column(head, justify="right")
    for name, rows in dict.fromkeys((one.name, one.rows) for one in found):
        mine = [one for one in found if (one.name, one.rows) == (name, rows)]
        worst = [max(one.told.get(column, 0.0) for one in mine) for column in COLUMNS]
        felt = [max(one.load.p99_ms for one in mine), max(one.load.max_ms for one in mine)]
        table.add_row(name, f"{rows:,}", *(f"{value:,.1f}" for value in (*worst, *felt)))
    return table


@click.command()
@click.option("--count", type=click.IntRange(20), default=10_000, show_default=True, help="Operators; institutions.")
@click.option("--rounds", type=click.IntRange(1), help="Runs of all steps.")
def main(*, count: int, rounds: int | None) -> None:
    """Measure what a changed registry costs: to read, to compile, and the calls; QUICK=1 runs each step once."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    quick, begun = os.environ.get("QUICK", "") not in {"", "0"}, time.monotonic()
    os.environ.setdefault("BENCH_PORTAL_SECRET", "nobody is asked")
    try:
        programs = compiled("upstream"), compiled("loadgen", "-lssl", "-lcrypto")
        found = asyncio.run(measured(count, rounds or (1 if quick else 3), programs, console))
    except (NotInstallable, NotStarted, LoadFailed) as error:
        raise click.ClickException(str(error)) from error
    OUT.mkdir(parents=True, exist_ok=True)
    result = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "steps": [asdict(one) for one in found]}
    (OUT / "directory.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(table_of(found))
    console.print(f"{len(found)} steps, {time.monotonic() - begun:.0f} s, bench/out/directory.json")
    if errors := sum(one.load.errors for one in found):
        raise click.ClickException(f"{errors} answers were wrong: these figures do not count")


if __name__ == "__main__":
    main()
