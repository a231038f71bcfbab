"""Names of gateways in the store: machine, process and a random part."""

import os
import secrets
import socket
from collections.abc import Iterable, Sequence


def build_gateway_name() -> str:
    """Returns a name for this process that no other one has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def find_ended(names: Iterable[str], own_name: str) -> Sequence[str]:
    """Returns the names of ended processes of this machine: those before a crash.

    A container that is restarted has its host name and its process id again.
    """
    host, process_id, _ = _split(own_name)
    ended = []
    for name in names:
        other_host, other_id, _ = _split(name)
        if name != own_name and host and other_host == host and (other_id == process_id or not _is_running(other_id)):
            ended.append(name)
    return ended


def _split(name: str) -> tuple[str, str, str]:
    rest, _, random_part = name.rpartition(":")
    host, _, process_id = rest.rpartition(":")
    return host, process_id, random_part


def _is_running(process_id: str) -> bool:
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError, ValueError):  # the process of another user, or no number
        return True
    return True
