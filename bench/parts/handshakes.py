"""New mutual-TLS connections with one call each: how many a second, and CPU per connection."""

from typing import Any, Final

from harness import measure, report
from harness.cases import CASES
from harness.gateways import FLOORS

from parts.closed_loop import line_of
from parts.session import Session

PROCESSES: Final = 8
LEAST_S: Final = 1.0


def measure_handshakes(session: Session) -> dict[str, Any]:
    """Runs new connections with gateways interleaved; certificates and verification are the same for all."""
    case, plan, runs = CASES["get_mtls"], session.plan, list[measure.Run]()
    for number in range(plan.few_rounds):
        for name, gateway in session.gateways.items():
            if name in FLOORS:
                continue
            flags = [*case.flags(session.identity), "--port", str(gateway.ports.mtls)]
            flags += ["--processes", str(PROCESSES), "--seconds", str(max(LEAST_S, plan.seconds))]
            run = measure.timed(session.harness, ("handshake", name), flags, session.programs.handshakes)
            runs.append(run)
            session.say(line_of(run, number + 1, plan.few_rounds))
            session.count_errors(run.load)
    figures = report.cases_of(runs)["handshake"]
    return {"handshakes": {"gateways": figures, "ratios": report.ratios_of({"handshake": figures})["handshake"]}}
