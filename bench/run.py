"""Compares the data plane with its peers on this machine, under the same policy. See bench/README.md."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from harness import measure, report
from harness.cases import CASES, STALL_1M, STALL_8M
from harness.checks import failures
from harness.gateways import FLOOR, GATEWAYS, QUICK, Gateway, SharedConfig, prepare, upstream_argv
from harness.identity import make_identity
from harness.install import NotInstallable, compiled, install
from harness.interpreter import cost, quickest
from harness.layout import BUILD, OUT, ROOT, SIZES, free_ports
from harness.load import LoadFailed
from harness.processes import NotStarted, cores, running
from rich.console import Console

EXAMPLES = """\b
Examples:
  .venv/bin/python bench/run.py                                     the whole benchmark, about 20 minutes
  QUICK=1 .venv/bin/python bench/run.py                             the same, shorter runs, within 5 minutes
  .venv/bin/python bench/run.py --only relay,haproxy --case get     two gateways, one case
  .venv/bin/python bench/run.py --only relay --case get --seconds 1 --rounds 1 --no-extras
  .venv/bin/python bench/run.py --only relay --case get --python /usr/bin/python3.11
  .venv/bin/python bench/run.py --only nginx_lua --checks           policy checks alone, no load
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """Gateways, cases, durations and rounds."""

    gateways: list[str]
    cases: list[str]
    seconds: float
    warm: float
    rounds: int
    extras: bool
    python: str
    stall_s: float = 5.0


@dataclass(slots=True)
class Session:
    """The measurements so far."""

    console: Console
    plan: Plan
    gateways: dict[str, Gateway] = field(default_factory=dict)
    runs: list[measure.Run] = field(default_factory=list)
    pairs: dict[str, list[measure.Pair]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    stalled: list[measure.Stalled] = field(default_factory=list)

    def timed(self, harness: measure.Harness) -> None:
        """Runs every case with gateways interleaved (A B C A B C), so that a disturbance affects all of them."""
        for name in self.plan.cases:
            for number in range(self.plan.rounds):
                for gateway in self.gateways.values():
                    if gateway.name == FLOOR and name != "get":
                        continue
                    run = measure.run(harness, gateway, CASES[name], self.plan.seconds, self.plan.warm)
                    self.runs.append(run)
                    self.console.print(
                        f"{name:9} {number + 1}/{self.plan.rounds} {gateway.name:10} {run.cpu_us:8.1f} µs "
                        f"{run.load.rps:9,.0f} req/s  p50 {run.load.p50_ms:7.2f} ms  p99 {run.load.p99_ms:7.2f} ms  "
                        f"waited {run.waited:4.0%}  steal {run.steal:.1%}{'' if run.is_counted else ' dropped'}"
                        f"{f'  {run.load.errors} ERRORS: {run.load.first_error}' if run.load.errors else ''}",
                        highlight=False,
                    )

    def half(self, harness: measure.Harness) -> None:
        """Runs each gateway at half its closed-loop rate, and the institution directly at the same rate."""
        figures = report.cases_of(self.runs).get("get", {})
        names = [name for name in self.gateways if name != FLOOR and name in figures]
        self.rates = {name: figures[name]["rps"] / 2 for name in names}
        for _ in range(self.plan.rounds):
            for name in names:
                pair = measure.half_load(harness, self.gateways[name], self.rates[name], self.plan.seconds)
                self.pairs.setdefault(name, []).append(pair)
                self.console.print(
                    f"half load {name:10} {self.rates[name]:8,.0f} req/s  p50 {pair.direct.p50_ms:.3f} → "
                    f"{pair.through.p50_ms:.3f} ms  p99 {pair.direct.p99_ms:.3f} → {pair.through.p99_ms:.3f} ms  "
                    f"waited {pair.waited:4.0%}  steal {pair.steal:.1%}{'' if pair.is_counted else ' dropped'}",
                    highlight=False,
                )

    def stall(self, harness: measure.Harness) -> None:
        """Measures stalled readers; 1 MB is the figure, 8 MB shows whether memory follows the response size."""
        for name, gateway in self.gateways.items():
            for case in (STALL_1M, STALL_8M):
                if name == FLOOR or (name != "relay" and case is STALL_8M):
                    continue
                stalled = measure.stalled(harness, gateway, case, 100, self.plan.stall_s)
                self.stalled.append(stalled)
                self.console.print(
                    f"{stalled.connections} stalled readers of {stalled.answer_mb:g} MB, {name}: "
                    f"{stalled.before_mb:.1f} → {stalled.peak_mb:.1f} MB (+{stalled.grown_mb:.1f}), "
                    f"{stalled.load.errors} errors {stalled.load.first_error}",
                    highlight=False,
                )

    def result(self) -> dict[str, Any]:
        """Returns the content of bench/out/latest.json."""
        cases = report.cases_of(self.runs)
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "cases": cases,
            "ratios": report.ratios_of(cases),
            "half_load": report.half_load_of(self.pairs, self.rates),
            "stalled_readers": report.stalled_of(self.stalled),
            "machine": machine(self.plan.python),
            "runs": report.counted(self.runs) | {"seconds": self.plan.seconds, "rounds": self.plan.rounds},
        }

    def errors(self) -> int:
        """Returns the number of wrong responses in all measurements."""
        loads = [run.load for run in self.runs] + [stalled.load for stalled in self.stalled]
        loads += [load for pairs in self.pairs.values() for pair in pairs for load in (pair.direct, pair.through)]
        return sum(load.errors for load in loads)


def machine(python: str) -> dict[str, Any]:
    """Returns facts of the machine."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    versions = {name: version(name) for name in ("aiohttp", "uvloop", "httptools", "cryptography", "PyJWT")}
    for name, argv in (("nginx", ["/usr/sbin/nginx", "-v"]), ("haproxy", ["/usr/sbin/haproxy", "-v"])):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        versions[name] = (done.stdout + done.stderr).splitlines()[0]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "versions": versions | {"python": platform.python_version()},
        "python": python,
        "python_cost_s": {"used": round(cost(python), 4), "own": round(cost(sys.executable), 4)},
    }


def refuse_other_policy(session: Session, shared: SharedConfig) -> None:
    """Raises ClickException when a gateway applies another policy."""
    problems = {name: failures(gateway, shared.identity) for name, gateway in session.gateways.items()}
    for name, lines in problems.items():
        state = "same policy" if not lines else "NOT COMPARABLE"
        session.console.print(f"policy checks  {name:10} {'nothing to check' if name == FLOOR else state}")
        for line in lines:
            session.console.print(f"    {line}", markup=False, highlight=False)
    if any(problems.values()):
        raise click.ClickException("a gateway with another policy cannot be compared")


def work(session: Session, *, only_checks: bool) -> None:
    """Starts all processes, runs everything, and ends the processes."""
    gateway_core, load_core = cores()
    if gateway_core == load_core:
        session.console.print("only one core: gateway and load share it, latencies mean nothing")
    upstream, loadgen = compiled("upstream"), compiled("loadgen", "-lssl", "-lcrypto")
    identity = make_identity(BUILD / "identity")
    ports = dict(zip(SIZES, free_ports(len(SIZES)), strict=True))
    shared = SharedConfig(identity, ports, session.plan.python)
    with ExitStack() as stack:
        pids = {}
        logs = BUILD / "logs"
        argv = upstream_argv(upstream, ports)
        stack.enter_context(running(argv, load_core, list(ports.values()), logs / "upstream.log", ROOT))
        for name in session.plan.gateways:
            session.gateways[name] = gateway = prepare(name, shared)
            process = running(gateway.argv, gateway_core, gateway.wait_for(), logs / f"{name}.log", ROOT)
            pids[name] = stack.enter_context(process).pid
        refuse_other_policy(session, shared)
        if only_checks:
            return
        harness = measure.Harness(identity, loadgen, load_core, ports, pids)
        session.timed(harness)
        if session.plan.extras:
            session.half(harness)
            session.stall(harness)


def _chosen(text: str, known: list[str]) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()] or known
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name}: there is only {', '.join(known)}")
    return names


@click.command(epilog=EXAMPLES)
@click.option("--only", default="", help=f"Gateways, separated by commas: {', '.join(GATEWAYS)}.")
@click.option("--case", "case", default="", help=f"Cases, separated by commas: {', '.join(CASES)}.")
@click.option("--seconds", type=float, help="Length of one run.")
@click.option("--rounds", type=click.IntRange(1), help="Interleaved rounds.")
@click.option("--extras/--no-extras", default=True, help="Half load and stalled readers.")
@click.option("--python", default="", help="Interpreter of relay and aiohttp; else the quickest 3.11 here.")
@click.option("--checks", is_flag=True, help="Policy checks alone.")
def main(
    *, only: str, case: str, seconds: float | None, rounds: int | None, extras: bool, python: str, checks: bool
) -> None:
    """Measure the relay beside naive aiohttp, nginx + Lua and HAProxy; QUICK=1 in the environment shortens it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=None if sys.stdout.isatty() else 120)
    quick = os.environ.get("QUICK", "") not in {"", "0"}
    plan = Plan(
        _chosen(only, list(GATEWAYS)) if only else list(QUICK if quick else GATEWAYS),
        _chosen(case, list(CASES)),
        seconds or (0.7 if quick else 2.5),
        0.15 if quick else 0.5,
        rounds or (6 if quick else 12),
        extras,
        python or quickest(),
    )
    session, begun = Session(console, plan), time.monotonic()
    try:
        install(console)
        work(session, only_checks=checks)
    except (NotInstallable, NotStarted, LoadFailed) as error:
        raise click.ClickException(str(error)) from error
    if checks:
        return
    result = session.result()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "latest.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(report.table_of(result["cases"]))
    counts = result["runs"]
    console.print(
        f"runs kept {counts['kept']}/{counts['total']}, {time.monotonic() - begun:.0f} s, bench/out/latest.json"
    )
    if session.errors():
        raise click.ClickException(f"{session.errors()} answers were wrong: these figures do not count")


if __name__ == "__main__":
    main()
