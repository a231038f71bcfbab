"""The limit of open files (RLIMIT_NOFILE): each connection takes one."""

import contextlib
import logging
import resource

_log = logging.getLogger(__name__)


def raise_file_limit(needed: int) -> int:
    """Raise this process's limit to `needed`, as far as its hard limit allows. Returns the limit that holds then.

    Logs a warning when it stays below: the process works on, and refuses connections when the limit is reached.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return soft
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with contextlib.suppress(OSError, ValueError):  # above what the kernel allows (fs.nr_open): the warning tells
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
