"""The limit of open files (RLIMIT_NOFILE); each connection needs one."""

import contextlib
import logging
import resource

_log = logging.getLogger(__name__)


def raise_file_limit(needed: int) -> int:
    """Raises this process's limit to `needed`, as far as its hard limit allows. Returns the resulting limit.

    Logs a warning if it stays lower: the process continues and refuses connections at the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return soft
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with contextlib.suppress(OSError, ValueError):  # above fs.nr_open; the warning below reports it
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit < needed:
        _log.warning(
            "file limit too low for the settings: limit=%d needed=%d; raise the hard limit (systemd LimitNOFILE=, "
            "docker --ulimit nofile=, ulimit -Hn) or lower limits.connections",
            limit,
            needed,
        )
    return limit
