"""Measures how long a reload stops the event loop of each role: one institution changed, all, or their CA.

bench/reload_stalls.py                                    all roles, 200 institutions
bench/reload_stalls.py --role authority --size 1000 --rounds 5
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import uvloop
import yaml
from harness.loop_lag import LagProbe
from mydata_sandbox.environment.build import SandboxEnvironment, build

from relay.policy.settings.worker_shares import WorkerShare
from relay.runtime.commands.migrate import prepare_ledger
from relay.runtime.processes.authority import AuthorityProcess
from relay.runtime.processes.gateway import GatewayProcess
from relay.runtime.processes.jobs import JobsProcess
from relay.runtime.processes.sockets import bind_socket
from relay.runtime.settings.loading import load_settings

ROLES: Final = ("gateway", "worker", "authority", "jobs")
CHANGES: Final = ("one", "all", "ca")
SETTLE_S: Final = 0.6
START_S: Final = 3.0


class Institutions:
    """The files of many institutions, all with one CA file."""

    def __init__(self, environment: SandboxEnvironment, size: int) -> None:
        self._folder = environment.folder / "providers"
        self._size = size
        self._bank = yaml.safe_load((self._folder / "bank.yaml").read_text())
        self._ca = environment.folder / "institutions-ca.pem"
        self._certificates = Path(self._folder, self._bank["ca"]).read_bytes()
        self.change("ca", 0)
        self.change("all", 0)

    def change(self, name: str, number: int) -> None:
        """Changes what `name` says; each `number` gives another content."""
        if name == "ca":
            self._ca.write_bytes(self._certificates + b"# %d\n" % number)
            return
        for index in range(1 if name == "one" else self._size):
            values = self._bank | {"org_code": f"ZBAB{index:06}", "concurrency": 10 + number, "ca": str(self._ca)}
            (self._folder / f"added{index}.yaml").write_text(yaml.safe_dump(values, allow_unicode=True))


def build_process(role: str, settings: Path, stack: ExitStack) -> Any:
    """Returns the process of a role; a worker has half of the limits."""
    if role == "authority":
        return AuthorityProcess(settings)
    if role == "jobs":
        return JobsProcess(settings)
    if role == "gateway":
        return GatewayProcess(settings)
    listeners = load_settings(settings, {}).settings.gateway.listeners
    sockets = [stack.enter_context(bind_socket("127.0.0.1", 0, "gateway.listeners")) for _ in listeners]
    return GatewayProcess(settings, share=WorkerShare(1, 2), sockets=sockets)


async def measure(role: str, change: str, rounds: int, size: int, folder: Path) -> list[dict[str, float]]:
    """Runs a role and reloads it `rounds` times. Returns the longest stall of each reload."""
    environment = build(folder, datetime.now(UTC))
    environment.close()
    await prepare_ledger(load_settings(environment.settings, {}).settings.ledger)
    institutions = Institutions(environment, size)
    reports = []
    with ExitStack() as stack:
        process = build_process(role, environment.settings, stack)
        serving = asyncio.create_task(process.run())
        probe = LagProbe(asyncio.get_running_loop())
        await asyncio.sleep(START_S)
        for number in range(1, rounds + 1):
            institutions.change(change, number)
            await asyncio.sleep(SETTLE_S)
            probe.reset()
            await process.reloader.reload()
            await asyncio.sleep(SETTLE_S)
            reports.append(probe.report())
        if process.reloader.rejected:
            raise RuntimeError("the settings were rejected")
        process.stop()
        await serving
    return reports


def run_alone(role: str, change: str, rounds: int, size: int) -> None:
    """Measures in this process and prints the medians."""
    os.environ |= {"RELAY__GATEWAY__DRAIN__DELAY_S": "0", "RELAY__RELOAD__WATCH_S": "0"}
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        reports = runner.run(measure(role, change, rounds, size, Path(folder) / "sandbox"))
    stalls = [report["stall_ms"] for report in reports]
    busy = statistics.median(report["busy_ms"] for report in reports)
    print(f"{role:10}{change:5}{statistics.median(stalls):>10.1f}{max(stalls):>10.1f}{busy:>10.1f}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures each role and change in a process of its own and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--role", action="append", choices=ROLES, help="a role; may be repeated")
    parser.add_argument("--change", action="append", choices=CHANGES, help="what changes; may be repeated")
    parser.add_argument("--rounds", type=int, default=5, help="reloads of each, 5 by default")
    parser.add_argument("--size", type=int, default=200, help="institutions, 200 by default")
    parser.add_argument("--alone", action="store_true", help="in this process, without the head of the table")
    options = parser.parse_args(arguments)
    roles, changes = options.role or ROLES, options.change or CHANGES
    if options.alone:
        run_alone(roles[0], changes[0], options.rounds, options.size)
        return
    print(f"{'ms':15}{'stall':>10}{'longest':>10}{'busy':>10}", flush=True)
    size = ["--rounds", str(options.rounds), "--size", str(options.size), "--alone"]
    for role in roles:
        for change in changes:
            command = [sys.executable, __file__, "--role", role, "--change", change, *size]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
