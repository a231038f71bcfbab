"""What the parts share: the plan, the static institution, started gateways, and the count of wrong responses."""

import resource
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import measure
from harness.compiled_form import count_compiled_modules
from harness.gateways import RELAY_FORMS, Gateway, SharedConfig, upstream_argv
from harness.identity import Identity
from harness.layout import BUILD, ROOT
from harness.load import Load
from harness.processes import NotStarted, cores, running
from harness.procfs import tree
from rich.console import Console
from rich.text import Text

LOGS = BUILD / "logs"


@dataclass(frozen=True, slots=True)
class Plan:
    """Gateways, cases, durations and rounds (`few_rounds` of other parts than cases); sizes of the long parts."""

    gateways: list[str]
    cases: list[str]
    seconds: float
    warm: float
    rounds: int
    python: str
    few_rounds: int = 3
    tokens: int = 1_000_000
    idle: int = 10_000
    minutes: float = 5.0
    stall_s: float = 5.0

    def relays(self) -> list[str]:
        """Returns the forms of the relay among the gateways."""
        return [name for name in self.gateways if name in RELAY_FORMS]


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the compiled C programs."""

    upstream: str
    loadgen: str
    handshakes: str


@dataclass(slots=True)
class Session:
    """One run of the benchmark. `results` has what earlier parts measured, by name of the part."""

    console: Console
    plan: Plan
    shared: SharedConfig
    programs: Programs
    gateways: dict[str, Gateway] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    errors: int = 0

    @property
    def identity(self) -> Identity:
        """Keys, certificates and tokens of this session."""
        return self.shared.identity

    @property
    def harness(self) -> measure.Harness:
        """What a measurement needs."""
        return measure.Harness(
            self.identity, self.programs.loadgen, cores()[1], dict(self.shared.upstreams), dict(self.pids)
        )

    def say(self, line: str) -> None:
        """Prints one line of progress."""
        self.console.print(Text(line), soft_wrap=True)

    def leave_out(self, name: str, reason: str) -> None:
        """Records and prints that something is not measured."""
        self.left_out[name] = reason
        self.say(f"left out: {name}: {reason}")

    def count_errors(self, *loads: Load) -> None:
        """Adds wrong responses; any of them makes the figures worthless."""
        self.errors += sum(load.errors for load in loads)
        for load in loads:
            if load.errors:
                self.say(f"    {load.errors} WRONG RESPONSES: {load.first_error}")

    @contextmanager
    def institution(self) -> Iterator[None]:
        """Runs the static institution on the core of the load."""
        ports = self.shared.upstreams
        argv = upstream_argv(self.programs.upstream, ports)
        with running(argv, cores()[1], list(ports.values()), LOGS / "upstream.log", ROOT):
            yield

    @contextmanager
    def started(self, gateways: Iterable[Gateway], core: int | str | None = None) -> Iterator[None]:
        """Runs gateways on their core. Raises NotStarted when a relay runs another form than its label says."""
        names = []
        with ExitStack() as stack:
            for gateway in gateways:
                process = running(
                    gateway.argv,
                    cores()[0] if core is None else core,
                    gateway.wait_for(),
                    LOGS / f"{gateway.name}.log",
                    ROOT,
                )
                self.pids[gateway.name] = stack.enter_context(process).pid
                self.gateways[gateway.name] = gateway
                names.append(gateway.name)
                check_form(gateway, self.pids[gateway.name])
            try:
                yield
            finally:
                for name in names:
                    del self.pids[name], self.gateways[name]


def check_form(gateway: Gateway, pid: int) -> None:
    """Raises NotStarted when a relay has loaded no compiled modules although it should, or the reverse."""
    if not gateway.name.startswith("relay"):
        return
    count = sum(count_compiled_modules(each) for each in tree(pid))
    if bool(count) != gateway.name.startswith("relay_compiled"):
        raise NotStarted(f"{gateway.name} runs with {count} compiled modules")


def raise_file_limit(files: int) -> None:
    """Raises the limit of open files for all child processes as far as this user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= files:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, hard)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, hard), hard))


def output_of(label: str) -> Path:
    """Returns the file of gateway_process.py, empty."""
    path = BUILD / f"{label}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path
