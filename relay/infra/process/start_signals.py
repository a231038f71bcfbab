"""Signals during the start of a process: they wait until a handler is installed, so that none ends it or is lost.

Process 1 of a container ignores signals that it neither handles nor blocks.
"""

import signal
from typing import Final

STOPS: Final = (signal.SIGTERM, signal.SIGINT)
_HANGUP: Final = (signal.SIGHUP,)


def block_signals() -> None:
    """Blocks SIGHUP and STOPS for this thread and its new threads; they stay pending until they are allowed.

    SIGUSR1 and SIGUSR2 are ignored: other servers rotate logs by them, and their default ends the process.
    """
    for name in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(name, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, (*_HANGUP, *STOPS))


def allow_stops() -> None:
    """Unblocks STOPS. Call it on the main thread, after installing their handlers."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def allow_hangups() -> None:
    """Unblocks SIGHUP. Call it on the main thread, after installing the handler."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANGUP)
