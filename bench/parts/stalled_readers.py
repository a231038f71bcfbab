"""Memory held for readers that stop reading: 1 MB is the figure, 8 MB shows whether memory follows the size."""

from typing import Any

from harness import measure, report
from harness.cases import STALL_1M, STALL_8M
from harness.gateways import FLOORS, RELAY_FORMS

from parts.session import Session

READERS = 100


def measure_stalled_readers(session: Session) -> dict[str, Any]:
    """Measures each gateway once."""
    results = []
    for name, gateway in session.gateways.items():
        for case in (STALL_1M, STALL_8M):
            if name in FLOORS or (name not in RELAY_FORMS and case is STALL_8M):
                continue
            stalled = measure.stalled(session.harness, gateway, case, READERS, session.plan.stall_s)
            results.append(stalled)
            session.say(
                f"{READERS} stalled readers of {stalled.answer_mb:g} MB {name:14} "
                f"{stalled.before_mb:.1f} → {stalled.peak_mb:.1f} MB (+{stalled.grown_mb:.1f})"
            )
            session.count_errors(stalled.load)
    return {"stalled_readers": report.stalled_of(results)}
