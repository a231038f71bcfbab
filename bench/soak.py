"""Runs mixed load, bad peers and a changing reload each five seconds, and checks that nothing accumulates."""

import asyncio
import json
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import uvloop
from hostile.environment import NotReady, Options, Running, new_folder, start_relay
from hostile.load_client import ADMIN, DATA, PAGES, REFRESH, Load
from rich.console import Console
from soaking.bad_peers import run_bad_peers
from soaking.changes import APPLIED, REJECTED, Changes
from soaking.institution import ChangingBank
from soaking.mixed_load import MixedLoad
from soaking.samples import Sample, Soak, find_bad_lines, find_growth, take_sample

EXAMPLES = """\b
Examples:
  .venv/bin/python bench/soak.py                        ten minutes, one worker
  .venv/bin/python bench/soak.py --workers 2 --minutes 5
  .venv/bin/python bench/soak.py --json > soak.json     every sample
"""
RATES: Final = {REFRESH: 1.0, PAGES: 0.5, ADMIN: 0.5}
EVERY_S: Final = 5.0
SETTLED_S: Final = 60.0
"""Longest wait after the load for the idle timeouts of all connections."""

START_S: Final = 3.0
GATEWAY_IDLE_S: Final = 10
CONCURRENCY: Final = 512
"""Calls in flight at one institution: so many that a busy machine refuses no good call."""

PAUSE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """The length of a run and its size: good calls a second, connections of the mixed load, workers."""

    minutes: float
    rate: float
    connections: int
    workers: int

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that only a start applies."""
        gateway = {"workers": self.workers, "timeouts": {"idle_s": GATEWAY_IDLE_S}}
        return {"gateway": gateway, "reload": {"watch_s": 0}, "upstream": {"concurrency": CONCURRENCY}}


class Run:
    """One run against one relay; `counts` are what callers and peers did."""

    def __init__(self, relay: Running, plan: Plan, progress: Console) -> None:
        self._relay = relay
        self._plan = plan
        self._progress = progress
        self._begun = time.monotonic()
        pair = relay.environment.certificates.providers["bank"]
        self._bank = ChangingBank(str(pair.certificate), str(pair.private_key), relay.world.hostile_institution)
        self._changes = Changes(relay, self._bank.urls)
        self._load, self._mixed = Load(relay.world), MixedLoad(relay.world)
        self._attacks: Counter[str] = Counter()
        self._samples: list[Sample] = []

    async def run(self) -> Soak:
        """Samples before, during and after the load."""
        stop, ended = asyncio.Event(), asyncio.Event()
        bank = asyncio.create_task(self._bank.run(stop))
        try:
            self._changes.apply()
            await asyncio.sleep(START_S)
            begin = await self._sample()
            await self._apply_load(stop)
            end = await self._wait_settled(begin)
        finally:
            ended.set()
            bank.cancel()
            await asyncio.gather(bank, return_exceptions=True)
        return self._summarize(begin, end)

    async def _apply_load(self, stop: asyncio.Event) -> None:
        rates = {DATA: self._plan.rate} | RATES
        working = [asyncio.create_task(self._load.run(kind, rate, stop)) for kind, rate in rates.items()]
        working.append(asyncio.create_task(self._mixed.run(stop, self._plan.connections, PAUSE_S)))
        working.append(asyncio.create_task(self._changes.run(stop)))
        working.append(asyncio.create_task(run_bad_peers(self._relay.world, stop, self._attacks)))
        ends = time.monotonic() + self._plan.minutes * 60
        while time.monotonic() < ends:
            await asyncio.sleep(min(EVERY_S, max(0.0, ends - time.monotonic())))
            self._samples.append(await self._sample())
            self._print(self._samples[-1])
        stop.set()
        await asyncio.gather(*working)
        await self._load.finish()

    async def _wait_settled(self, begin: Sample) -> Sample:
        """Returns the first sample in which everything has returned to `begin`, else the last one."""
        ends = time.monotonic() + SETTLED_S
        while True:
            await asyncio.sleep(EVERY_S)
            sample = await self._sample()
            self._print(sample)
            if not self._summarize(begin, sample).left_over or time.monotonic() > ends:
                return sample

    async def _sample(self) -> Sample:
        return await asyncio.to_thread(take_sample, self._relay.gateway, self._relay.world.admin, self._begun)

    def _print(self, sample: Sample) -> None:
        cells = [f"{name} {each.rss_mb} MB {each.fds} fds" for name, each in sample.processes.items()]
        gauges = " ".join(f"{name}={value:g}" for name, value in sample.gauges.items() if not name.startswith("fault"))
        self._progress.print(f"{sample.at_s:7.1f} s  {'  '.join(cells)}  {gauges}", highlight=False, soft_wrap=True)

    def _summarize(self, begin: Sample, end: Sample) -> Soak:
        with self._relay.output.open(errors="replace") as lines:
            output = list(lines)
        applied = sum(APPLIED in line for line in output) // self._plan.workers
        errors = Counter(call.error for call in self._load.calls if call.error)
        counts = {
            "good calls": Counter(call.kind for call in self._load.calls),
            "errors of good calls": errors,
            "mixed calls": self._mixed.outcomes,
            "bank": self._bank.calls,
            "bad peers": self._attacks,
            "faults": {name: int(value) for name, value in end.gauges.items() if name.startswith("fault ")},
        }
        return Soak(
            samples=self._samples,
            begin=begin,
            end=end,
            bad_lines=find_bad_lines(output),
            reloads=(applied - sum(REJECTED in line for line in output), self._changes.count),
            failed=errors.total(),
            counts={name: dict(each) for name, each in counts.items()},  # `asdict` copies no Counter
        )


async def soak(plan: Plan, progress: Console, folder: Path) -> Soak:
    """Runs the plan against a new relay in `folder`."""
    async with start_relay(folder, Options(settings=plan.settings)) as relay:
        return await Run(relay, plan, progress).run()


def print_result(result: Soak, console: Console) -> None:
    """Prints memory and open files of each process, what happened, and the problems."""
    for name, begin in result.begin.processes.items():
        growth, end = find_growth(result.samples, name), result.end.processes.get(name)
        memory = f"{growth[0]} MB after two minutes, {growth[1]} MB at the end" if growth else f"{begin.rss_mb} MB"
        files = f"{begin.fds} > {end.fds} open files" if end else "ended"
        console.print(f"{name}: {memory}, {files}", highlight=False)
    for name, counts in result.counts.items():
        listed = ", ".join(f"{key} {count}" for key, count in sorted(counts.items()))
        console.print(f"{name}: {listed or 'none'}", highlight=False, markup=False)
    for problem in result.problems or ["none"]:
        console.print(f"problem: {problem}", highlight=False, markup=False)


@click.command(epilog=EXAMPLES)
@click.option("--minutes", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Length of the load.")
@click.option("--rate", type=click.FloatRange(1), default=60.0, show_default=True, help="Good data calls a second.")
@click.option("--connections", type=click.IntRange(1), default=20, show_default=True, help="Of the mixed load.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Workers of the gateway.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep all files of the relay in this new folder.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON; progress goes to stderr.")
def main(*, minutes: float, rate: float, connections: int, workers: int, folder: Path | None, as_json: bool) -> None:
    """Run mixed load, bad peers and a changing reload each five seconds against a relay; exit 1 on a problem.

    A problem is: memory that grows by more than 5 % after two minutes, an open file, connection or task left over after
    the load, an ERROR or a traceback in the log, a reload that was not applied, a good call that failed.
    """
    progress = Console(stderr=True, width=None if sys.stderr.isatty() else 160)
    kept = folder or new_folder()
    kept.mkdir(parents=True, exist_ok=True)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            result = runner.run(soak(Plan(minutes, rate, connections, workers), progress, kept))
    except NotReady as error:
        raise click.ClickException(f"the relay did not become ready:\n{error}") from error
    finally:
        if folder is None:
            shutil.rmtree(kept, ignore_errors=True)
    if as_json:
        click.echo(json.dumps(result.row(), indent=2, ensure_ascii=False))
    else:
        print_result(result, Console(width=None if sys.stdout.isatty() else 120))
    if result.problems:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
