"""CPU per call of each gateway in each case; gateways are interleaved."""

from typing import Any

from harness import measure, report
from harness.cases import CASES
from harness.gateways import FLOORS
from harness.measure import Run

from parts.session import Session


def line_of(run: Run, number: int, rounds: int) -> str:
    """Returns the line of progress of a run."""
    state = f"wait {run.waited:3.0%}" if run.is_counted else "dropped"
    return (
        f"{run.case:11} {number:2}/{rounds:<2} {run.gateway:18} {run.cpu_us:7.1f} µs "
        f"{run.load.rps:6,.0f}/s p99 {run.load.p99_ms:6.1f} ms {state}"
    )


def measure_cases(session: Session) -> dict[str, Any]:
    """Runs every case with gateways interleaved (A B C A B C), so that a disturbance affects all of them."""
    plan, runs = session.plan, list[Run]()
    for name in plan.cases:
        for number in range(plan.rounds):
            for gateway in session.gateways.values():
                if gateway.name in FLOORS and name != "get":
                    continue
                runs.append(measure.run(session.harness, gateway, CASES[name], plan.seconds, plan.warm))
                session.say(line_of(runs[-1], number + 1, plan.rounds))
                session.count_errors(runs[-1].load)
    cases = report.cases_of(runs)
    counts = report.counted(runs) | {"seconds": plan.seconds, "rounds": plan.rounds}
    return {"cases": cases, "ratios": report.ratios_of(cases), "runs": counts}
