"""Compares the data plane with its peers on this machine, under the same policy. See bench/README.md."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click
from harness.cases import CASES
from harness.checks import failures
from harness.compiled_form import NotCompiled, build_compiled_form
from harness.gateways import FLOORS, GATEWAYS, QUICK, SharedConfig, prepare
from harness.identity import make_identity
from harness.install import NotInstallable, compiled, install
from harness.interpreter import cost, quickest
from harness.layout import BUILD, OUT, SIZES, free_ports
from harness.load import LoadFailed
from harness.processes import NotStarted, cores
from harness.tables import tables_of
from parts.closed_loop import measure_cases
from parts.endurance import measure_endurance
from parts.growth import OPERATORS, measure_growth
from parts.half_load import measure_half_load
from parts.handshakes import measure_handshakes
from parts.idle_connections import measure_idle_connections
from parts.session import Plan, Programs, Session
from parts.stalled_readers import measure_stalled_readers
from parts.workers import measure_workers
from rich.console import Console

EXAMPLES: Final = """\b
Examples, each after .venv/bin/python:
  bench/run.py                                        all parts
  bench/run.py --only relay,haproxy --case get --part cases
  bench/run.py --part growth --only relay --tokens 100000
  bench/run.py --part idle,workers --merge
  bench/run.py --only nginx_lua --checks              policy checks alone
  bench/run.py --json 2>/dev/null                     the result on stdout
\b
bench/report.py prints the result as Markdown, bench/chart.py draws it.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One measurement. `is_beside` parts use gateways that all run for the whole time."""

    shows: str
    measure: Callable[[Session], dict[str, Any]]
    is_beside: bool = False
    is_quick: bool = False


PARTS: Final = {
    "cases": Part("CPU per call by case", measure_cases, is_beside=True, is_quick=True),
    "half_load": Part("latency at half load", measure_half_load, is_beside=True, is_quick=True),
    "stalled": Part("memory of stalled readers", measure_stalled_readers, is_beside=True, is_quick=True),
    "handshakes": Part("new mutual-TLS connections", measure_handshakes, is_beside=True, is_quick=True),
    "workers": Part("one and two workers", measure_workers, is_quick=True),
    "growth": Part("institutions, operators, tokens", measure_growth),
    "idle": Part("memory of idle connections", measure_idle_connections),
    "endurance": Part("half load for minutes", measure_endurance),
}


def machine(python: str) -> dict[str, Any]:
    """Returns facts of the machine."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    versions = {name: version(name) for name in ("aiohttp", "uvloop", "cryptography", "PyJWT")}
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


def refuse_other_policy(session: Session) -> None:
    """Raises ClickException when a gateway applies another policy."""
    problems = {name: failures(gateway, session.identity) for name, gateway in session.gateways.items()}
    for name, lines in problems.items():
        state = "same policy" if not lines else "NOT COMPARABLE"
        session.say(f"policy checks  {name:14} {'nothing to check' if name in FLOORS else state}")
        for line in lines:
            session.say(f"    {line}")
    if any(problems.values()):
        raise click.ClickException("a gateway with another policy cannot be compared")


def with_compiled_form(session: Session) -> list[str]:
    """Builds the compiled form if it is wanted; returns the gateways that can run."""
    names = session.plan.gateways
    if "relay_compiled" not in names:
        return names
    session.say("building the compiled form: .ci/compile")
    try:
        session.say(build_compiled_form())
    except NotCompiled as error:
        session.leave_out("relay_compiled", str(error))
        names.remove("relay_compiled")
    return names


def work(session: Session, parts: list[str], *, only_checks: bool) -> None:
    """Runs the parts, each with the processes that it needs, and ends all processes."""
    if cores()[0] == cores()[1]:
        session.say("only one core: gateway and load share it, latencies mean nothing")
    names = with_compiled_form(session)
    beside = [name for name in parts if PARTS[name].is_beside]
    with session.institution():
        if beside or only_checks:
            with session.started([prepare(name, session.shared) for name in names]):
                refuse_other_policy(session)
                for name in [] if only_checks else beside:
                    run_part(session, name)
        for name in [] if only_checks else parts:
            if name not in beside:
                run_part(session, name)


def run_part(session: Session, name: str) -> None:
    """Runs one part and keeps its figures."""
    session.say(f"part {list(PARTS).index(name) + 1} of {len(PARTS)}, {name}: {PARTS[name].shows}")
    session.results |= PARTS[name].measure(session)


def result_of(session: Session, former: dict[str, Any]) -> dict[str, Any]:
    """Returns the content of bench/out/latest.json; `former` has parts of an earlier session."""
    measured = {*session.plan.gateways, *session.results}
    left_out = {name: reason for name, reason in former.get("left_out", {}).items() if name not in measured}
    return former | {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        **session.results,
        "left_out": left_out | session.left_out,
        "machine": machine(session.plan.python),
    }


def choose(text: str, known: list[str], default: list[str]) -> list[str]:
    """Returns the names in `text`, or the default, in the order of `known`. Raises BadParameter."""
    names = [name.strip() for name in text.split(",") if name.strip()] or default
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name}: there is only {', '.join(known)}")
    return [name for name in known if name in names]


@click.command(epilog=EXAMPLES)
@click.option("--only", default="", help=f"Gateways, separated by commas: {', '.join(GATEWAYS)}.")
@click.option("--case", "case", default="", help=f"Cases, separated by commas: {', '.join(CASES)}.")
@click.option("--part", "part", default="", help=f"Parts, separated by commas: {', '.join(PARTS)}.")
@click.option("--seconds", type=float, help="Length of one run.")
@click.option("--rounds", type=click.IntRange(1), help="Interleaved rounds.")
@click.option("--tokens", type=click.IntRange(2000), default=1_000_000, show_default=True, help="Remembered tokens.")
@click.option("--idle", type=click.IntRange(1, 12_000), default=10_000, show_default=True, help="Idle connections.")
@click.option("--minutes", type=float, default=5.0, show_default=True, help="Length of the part endurance.")
@click.option("--python", default="", help="Interpreter of relay and aiohttp; else the quickest 3.11 here.")
@click.option("--merge", is_flag=True, help="Keep parts of bench/out/latest.json that are not measured now.")
@click.option("--checks", is_flag=True, help="Policy checks alone.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; progress goes to stderr.")
def main(*, only: str, case: str, part: str, merge: bool, checks: bool, as_json: bool, **sizes: Any) -> None:
    """Measure the relay beside nginx + Lua, HAProxy and naive aiohttp; QUICK=1 in the environment shortens it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=None if sys.stdout.isatty() else 80, stderr=as_json)
    quick, begun = os.environ.get("QUICK", "") not in {"", "0"}, time.monotonic()
    plan = make_plan(choose(only, list(GATEWAYS), list(QUICK if quick else GATEWAYS)), case, quick=quick, **sizes)
    parts = choose(part, list(PARTS), [name for name in PARTS if PARTS[name].is_quick or not quick])
    try:
        install(console)
        libraries = ("-lssl", "-lcrypto")
        programs = Programs(compiled("upstream"), compiled("loadgen", *libraries), compiled("handshakes", *libraries))
        identity = make_identity(BUILD / "identity", OPERATORS[-1])
        ports = dict(zip(SIZES, free_ports(len(SIZES)), strict=True))
        session = Session(console, plan, SharedConfig(identity, ports, plan.python), programs)
        work(session, parts, only_checks=checks)
    except (NotInstallable, NotStarted, LoadFailed) as error:
        raise click.ClickException(str(error)) from error
    if checks:
        return
    save(session, merge=merge, as_json=as_json, seconds=time.monotonic() - begun)
    if session.errors:
        raise click.ClickException(f"{session.errors} responses were wrong: these figures do not count")


def make_plan(gateways: list[str], case: str, *, quick: bool, **sizes: Any) -> Plan:
    """Returns the plan of the options; what they do not say depends on QUICK."""
    seconds, warm, rounds = (0.7, 0.15, 5) if quick else (2.0, 0.4, 10)
    return Plan(
        gateways,
        choose(case, list(CASES), list(CASES)),
        sizes["seconds"] or seconds,
        warm,
        sizes["rounds"] or rounds,
        sizes["python"] or quickest(),
        sizes["rounds"] or (3 if quick else 6),
        sizes["tokens"],
        sizes["idle"],
        sizes["minutes"],
    )


def save(session: Session, *, merge: bool, as_json: bool, seconds: float) -> None:
    """Writes bench/out/latest.json and prints the tables."""
    OUT.mkdir(parents=True, exist_ok=True)
    latest = OUT / "latest.json"
    former = json.loads(latest.read_text(encoding="utf-8")) if merge and latest.exists() else {}
    result = result_of(session, former)
    text = json.dumps(result, indent=2, ensure_ascii=False)
    latest.write_text(text + "\n", encoding="utf-8")
    for table in tables_of(result):
        session.console.print(table)
    if as_json:
        click.echo(text)
    for name, reason in session.left_out.items():
        session.say(f"left out: {name}: {reason}")
    session.say(f"{seconds:.0f} s, bench/out/latest.json")


if __name__ == "__main__":
    main()
