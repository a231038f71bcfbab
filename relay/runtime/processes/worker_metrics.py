"""Metrics of the parent of a gateway's workers itself."""

from collections.abc import Sequence

from relay.runtime.processes.worker_slot import WorkerSlot


def format_parent_metrics(slots: Sequence[WorkerSlot], lost_log_lines: int) -> str:
    """Returns the metrics as OpenMetrics text without its end, to be merged with those of the workers."""
    ready = sum(slot.is_listening for slot in slots)
    restarts = sum(slot.supervisor.restarts for slot in slots)
    return "\n".join(
        [
            "# HELP relay_workers Workers that accept connections",
            "# TYPE relay_workers gauge",
            f"relay_workers {float(ready)}",
            "# HELP relay_worker_restarts Workers that ended unexpectedly and were started again",
            "# TYPE relay_worker_restarts counter",
            f"relay_worker_restarts_total {float(restarts)}",
            "# TYPE relay_log_lines_lost gauge",
            f"relay_log_lines_lost {float(lost_log_lines)}",
        ]
    )
