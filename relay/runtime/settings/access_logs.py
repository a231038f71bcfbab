"""Finds the access logs of a gateway."""

from pathlib import Path

from relay.policy.settings.worker_shares import is_worker_log


def list_access_logs(log: Path) -> list[Path]:
    """Returns the access log of the settings and those of workers that exist; the first one alone when none exists."""
    try:
        logs = sorted(file for file in log.parent.iterdir() if is_worker_log(str(log), file.name))
    except OSError:
        logs = []  # reading the log itself reports the problem
    return [log, *logs] if log.exists() or not logs else logs
