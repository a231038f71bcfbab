"""One and two worker processes of a gateway: throughput, CPU per call, and how evenly they share the calls."""

from statistics import median
from typing import Any, Final

from harness import measure, procfs, report
from harness.cases import CASES
from harness.gateways import RelayVariant, prepare_relay
from harness.processes import gateway_cores

from parts.closed_loop import line_of
from parts.session import Session
from relay.policy.settings.model import GatewaySettings

COUNTS: Final = (1, 2)


def has_workers() -> bool:
    """Returns whether the settings know `gateway.workers`."""
    return "workers" in GatewaySettings.model_fields


def busiest_share(before: dict[int, float], after: dict[int, float]) -> float:
    """Returns the share of the busiest process in the CPU time of all processes of a gateway."""
    spent = [after[pid] - before.get(pid, 0.0) for pid in after]
    return max(spent) / sum(spent) if sum(spent) else 0.0


def _cpu_of(pid: int) -> dict[int, float]:
    return {each: procfs.spent([each]).cpu_us for each in procfs.tree(pid)}


def measure_workers(session: Session) -> dict[str, Any]:
    """Runs GET with one and two workers, interleaved. On two cores the second worker shares that of the load."""
    if not has_workers():
        session.leave_out("workers", "the settings have no gateway.workers")
        return {}
    plan, runs, shares = session.plan, list[measure.Run](), dict[str, list[float]]()
    variants = {
        f"{form}_{count}_workers": RelayVariant(f"{form}_{count}_workers", form, {"gateway": {"workers": count}})
        for form in plan.relays()
        for count in COUNTS
    }
    with session.started((prepare_relay(session.shared, each) for each in variants.values()), gateway_cores()):
        for number in range(plan.few_rounds):
            for label in variants:
                before = _cpu_of(session.pids[label])
                run = measure.run(session.harness, session.gateways[label], CASES["get"], plan.seconds, plan.warm)
                runs.append(run)
                shares.setdefault(label, []).append(busiest_share(before, _cpu_of(session.pids[label])))
                session.say(line_of(run, number + 1, plan.few_rounds))
                session.count_errors(run.load)
    cells = report.cases_of(runs)["get"]
    return {"workers": {form: _figures(cells, shares, form) for form in plan.relays()}}


def _figures(cells: dict[str, Any], shares: dict[str, list[float]], form: str) -> dict[str, Any]:
    one, two = (cells[f"{form}_{count}_workers"] for count in COUNTS)
    return {
        "cores": gateway_cores(),
        "1": one,
        "2": two | {"busiest_share": round(median(shares[f"{form}_2_workers"]), 3)},
        "throughput_ratio": round(two["rps"] / one["rps"], 3),
        "cpu_ratio": round(two["cpu_us"] / one["cpu_us"], 3),
    }
