"""Growth of CPU per call with institutions, operators and remembered tokens: one load on a small and a large relay.

All relays of this part take tokens with any signature (gateway_process.py), so that a load can bring a million of them.
The relay remembers each token by its own code, from a call. During the measured runs no token may be new.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from harness import measure, orders, procfs
from harness.gateways import Gateway, relay_command
from harness.identity import serial_of
from harness.layout import BUILD, CLIENT_ID, OPERATOR, SIZES, SMALL, Ports, free_ports
from harness.load import LoadFailed, generator
from harness.measure import Run, read_lines
from harness.numbered_tokens import make_token
from harness.relay_settings import Operator, write_relay_settings

from parts.closed_loop import line_of
from parts.session import Session, output_of

INSTITUTIONS: Final = (10, 1000)
OPERATORS: Final = (10, 300)
FEW_TOKENS: Final = 1000
CALLS: Final = 1200
"""Distinct calls of the axes of institutions and operators: a multiple of 300, the same for both sizes."""

ROUNDS: Final = 4
"""How often the load makes all of them before the first run: operators take turns, but not strictly."""

CONNECTIONS: Final = 64
IDLE_S: Final = 240.0
"""Connections to institutions stay open while the other relay has its turn: the figure is calls, not connections."""

SEED_S: Final = 1800.0
MEMORY: Final = 4


@dataclass(frozen=True, slots=True)
class Axis:
    """One relay of one size: its parties, its load and the options of the load generator."""

    name: str
    size: int
    listener: str
    connections: int
    institutions: tuple[str, ...]
    operators: tuple[Operator, ...]
    options: tuple[str, ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def seeded(self) -> int:
        """How many tokens are called before the first run."""
        return self.size if self.name == "tokens" else 0

    def requests(self) -> list[orders.Order]:
        """Returns the calls: one for the axis of tokens, whose numbers the load generator writes."""
        if self.name == "tokens":
            return [orders.get(make_token(0), SMALL)]
        calls = []
        for number in range(CALLS):
            org_code = self.institutions[number % len(self.institutions)]
            operator = self.operators[number % len(self.operators)]
            token = make_token(number, org_code, operator.org_code, operator.client_id)
            calls.append(orders.get(token, org_code, operator.org_code))
        return calls


def operator_of(number: int) -> Operator:
    """Returns a further operator; its certificate is `operator.NUMBER.pem`."""
    return Operator(f"ZO{number:08}", serial_of(number), f"growthclient{number:04}")


def axes(tokens: int) -> Iterator[tuple[Axis, Axis]]:
    """Yields a small and a large relay for each axis."""
    one = (Operator(OPERATOR, client_id=CLIENT_ID),)
    institutions = [tuple(f"ZI{number:08}" for number in range(count)) for count in INSTITUTIONS]
    idle = {"upstream": {"timeouts": {"idle_s": IDLE_S}}}
    yield tuple(  # type: ignore[misc]
        Axis("institutions", len(codes), "plain", CONNECTIONS, codes, one, changes=idle) for codes in institutions
    )
    yield tuple(  # type: ignore[misc]
        Axis(
            "operators",
            count,
            "mtls",
            OPERATORS[-1],
            (SMALL,),
            tuple(map(operator_of, range(count))),
            ("--identities", str(count)),
        )
        for count in OPERATORS
    )
    memory = {"tokens": {"memory": MEMORY * max(tokens, FEW_TOKENS)}}
    yield tuple(  # type: ignore[misc]
        Axis("tokens", count, "plain", CONNECTIONS, (SMALL,), one, ("--tokens", str(count)), memory)
        for count in (FEW_TOKENS, tokens)
    )


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay of one size with its load."""

    axis: Axis
    gateway: Gateway
    output: Path
    flags: tuple[str, ...]


def prepare_axis(session: Session, form: str, axis: Axis, *script: str) -> Relay:
    """Writes settings and calls of one relay."""
    label = f"{form}_{axis.size}_{axis.name}"
    ports, folder, output = Ports(*free_ports(4)), BUILD / label, output_of(label)
    port, changes = session.shared.upstreams[SMALL], dict(axis.changes)
    if axis.listener == "mtls":  # operators that share an address need certificates on every listener
        listener = {"address": "127.0.0.1", "port": ports.mtls, "tls": True, "client_certificate": True}
        changes["gateway"] = {"listeners": [listener]}
    settings = write_relay_settings(
        folder,
        session.identity,
        dict.fromkeys(axis.institutions, port),
        ports,
        changes=changes,
        operators=axis.operators,
        has_tokens=False,
    )
    command = relay_command(
        session.shared, form, settings, ("gateway_process.py", str(output), "--any-signature", *script)
    )
    calls = orders.write(BUILD / "orders" / f"{label}.txt", axis.requests())
    flags = ["--requests", str(calls), "--expect", str(SIZES[SMALL]), "--port", str(getattr(ports, axis.listener))]
    flags += ["--connections", str(axis.connections), *axis.options]
    if axis.listener == "mtls":
        files = [session.identity.path(f"operator.#.{kind}") for kind in ("pem", "key")]
        flags += ["--tls", "--ca", session.identity.path("ca.pem"), "--cert", files[0], "--key", files[1]]
    return Relay(axis, Gateway(label, ports, command, listeners=(axis.listener,)), output, tuple(flags))


def seed(session: Session, relay: Relay) -> dict[str, float]:
    """Calls once with every token; returns time and memory."""
    if not relay.axis.seeded:
        return {}
    begun, family = time.monotonic(), procfs.tree(session.pids[relay.gateway.name])
    before = procfs.rss_mb(family)
    flags = [*relay.flags, "--warm", "0", "--seconds", str(SEED_S), "--count", str(relay.axis.seeded)]
    with generator(session.programs.loadgen, session.harness.core, flags) as load:
        load.go()
        result = load.result()
    session.count_errors(result)
    grown = procfs.rss_mb(family) - before
    figures = {
        "tokens": relay.axis.seeded,
        "seconds": round(time.monotonic() - begun, 1),
        "grown_mb": round(grown, 1),
        "kb_each": round(grown * 1024 / relay.axis.seeded, 2),
    }
    session.say(
        f"{relay.gateway.name}: {result.requests:,} tokens called in {figures['seconds']:.0f} s, +{grown:.0f} MB"
    )
    return figures


def count_new_tokens(relay: Relay) -> int:
    """Returns how many tokens were new to the relay so far, from its last line, which must be young."""
    deadline = time.monotonic() + 5
    now = time.monotonic()
    while time.monotonic() < deadline:
        lines = read_lines(relay.output)
        if lines and lines[-1]["at"] > now:
            return int(lines[-1]["new_tokens"])
        time.sleep(0.1)
    raise LoadFailed(f"{relay.gateway.name} writes no lines")


@contextmanager
def started(session: Session, form: str, pair: tuple[Axis, Axis]) -> Iterator[tuple[list[Relay], dict[str, float]]]:
    """Runs both relays of an axis, seeded; yields them and the figures of the large one's seeding."""
    relays = [prepare_axis(session, form, axis) for axis in pair]
    with session.started(relay.gateway for relay in relays):
        figures = [seed(session, relay) for relay in relays]
        yield relays, figures[-1]


def measure_axis(session: Session, form: str, pair: tuple[Axis, Axis]) -> dict[str, Any]:
    """Runs small and large in turn; the figure is the median of the ratios of each round."""
    plan, runs = session.plan, dict[str, list[Run]]()
    with started(session, form, pair) as (relays, seeding):
        timing = ("--seconds", str(plan.seconds), "--warm", str(plan.warm))
        for relay in relays:
            _run(session, relay, ("--warm", "0", "--seconds", str(SEED_S), "--count", str(ROUNDS * CALLS)))
        new = [count_new_tokens(relay) for relay in relays]
        for number in range(plan.rounds):
            for relay in relays:
                run = _run(session, relay, timing)
                runs.setdefault(relay.gateway.name, []).append(run)
                size = f"{relay.axis.size:,} {relay.axis.name}"
                session.say(line_of(replace(run, case="growth", gateway=size), number + 1, plan.rounds))
        if new != [count_new_tokens(relay) for relay in relays]:
            raise LoadFailed(f"{pair[0].name}: tokens were forgotten during the runs")
    small, large = runs.values()
    ratios = [after.cpu_us / before.cpu_us for before, after in zip(small, large, strict=True)]
    return {
        "small": pair[0].size,
        "large": pair[1].size,
        "small_cpu_us": round(median(run.cpu_us for run in small), 2),
        "large_cpu_us": round(median(run.cpu_us for run in large), 2),
        "ratio": round(median(ratios), 3),
        "ratios": [round(each, 3) for each in ratios],
    } | ({"seeding": seeding} if seeding else {})


def _run(session: Session, relay: Relay, timing: tuple[str, ...]) -> Run:
    run = measure.timed(session.harness, (relay.axis.name, relay.gateway.name), [*relay.flags, *timing])
    session.count_errors(run.load)
    return run


def measure_growth(session: Session) -> dict[str, Any]:
    """Measures each axis for each form of the relay."""
    forms = session.plan.relays()
    pairs = list(axes(session.plan.tokens))
    return {"growth": {form: {pair[0].name: measure_axis(session, form, pair) for pair in pairs} for form in forms}}
