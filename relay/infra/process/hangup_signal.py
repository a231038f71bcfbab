"""SIGHUP before there is somebody to take it: held back by the kernel, never the end of the process."""

import signal
from typing import Final

_HANGUP: Final = (signal.SIGHUP,)


def block_hangups() -> None:
    """Hold SIGHUP back, for this thread and those begun after; one that comes meanwhile waits for `allow_hangups`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANGUP)


def allow_hangups() -> None:
    """Let SIGHUP through to the handler that is there now; call it on the main thread."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANGUP)
