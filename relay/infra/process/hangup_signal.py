"""Blocks SIGHUP until a handler is installed, so that it never kills the process."""

import signal
from typing import Final

_HANGUP: Final = (signal.SIGHUP,)


def block_hangups() -> None:
    """Blocks SIGHUP for this thread and its new threads; it stays pending until `allow_hangups`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANGUP)


def allow_hangups() -> None:
    """Unblocks SIGHUP. Call it on the main thread, after installing the handler."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANGUP)
