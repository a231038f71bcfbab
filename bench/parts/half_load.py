"""Latency that each gateway adds at half of its rate, with the longest stall of the relay's event loop beside it."""

from pathlib import Path
from typing import Any, Final

from harness import measure, report
from harness.cases import CASES
from harness.gateways import RELAY_FORMS, Gateway, RelayVariant, prepare_relay
from harness.measure import Pair

from parts.session import Session, output_of

LEAST_S: Final = 2.0
"""The probe of the event loop needs a few lines."""

GATEWAYS: Final = (*RELAY_FORMS, "nginx_lua", "haproxy")


def half_rate(session: Session, name: str) -> float:
    """Returns half of the closed-loop rate, from the cases of this session or from a short run."""
    figures = session.results.get("cases", {}).get("get", {}).get(name)
    if figures is None:
        runs = [measure.run(session.harness, session.gateways[name], CASES["get"], 1.0, 0.3) for _ in range(3)]
        figures = report.summary(runs)
    return float(figures["rps"]) / 2


def probed(session: Session, form: str) -> tuple[Gateway, Path]:
    """Prepares a relay with a probe of its event loop; returns it and the file of its probe."""
    label = f"{form}_probed"
    output = output_of(label)
    script = ("gateway_process.py", str(output), "--probe")
    return prepare_relay(session.shared, RelayVariant(label, form, script=script)), output


def measure_half_load(session: Session) -> dict[str, Any]:
    """Runs each gateway at half its closed-loop rate, and the institution directly at the same rate."""
    names = [name for name in session.plan.gateways if name in GATEWAYS]
    rates = {name: half_rate(session, name) for name in names}
    relays = {name: probed(session, name) for name in session.plan.relays()}
    pairs: dict[str, list[Pair]] = {name: [] for name in names}
    with session.started(gateway for gateway, _ in relays.values()):
        for number in range(session.plan.few_rounds):
            for name in names:
                gateway = relays[name][0] if name in relays else session.gateways[name]
                output = relays[name][1] if name in relays else None
                seconds = max(LEAST_S, session.plan.seconds)
                pair = measure.half_load(session.harness, gateway, rates[name], seconds, output)
                pairs[name].append(pair)
                session.say(_line(name, number + 1, session.plan.few_rounds, pair, rates[name]))
                session.count_errors(pair.direct, pair.through)
    return {"half_load": report.half_load_of(pairs, rates)}


def _line(name: str, number: int, rounds: int, pair: Pair, rate: float) -> str:
    stall = f"stall {pair.lag.stall_ms:5.1f} ms" if pair.lag else ""
    state = stall if pair.is_counted else "dropped"
    return (
        f"half load   {number:2}/{rounds:<2} {name:14} {rate:7,.0f}/s p50 {pair.direct.p50_ms:.2f} → "
        f"{pair.through.p50_ms:.2f} p99 {pair.through.p99_ms:6.2f} {state}"
    )
