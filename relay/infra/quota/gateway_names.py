"""Names of gateways in the store: machine, process namespace, process id and a random part."""

import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

RESTARTED_S: Final = 3.0
"""A gateway of another namespace that did not call for so long may be the former process of a restarted container."""

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
"""Identifies the start of the machine (random(4))."""

_NAMESPACE: Final = Path("/proc/self/ns/pid")


class _Name(NamedTuple):
    machine: str
    namespace: str
    process_id: str


def build_gateway_name() -> str:
    """Returns a name for this process that no other one has."""
    return f"{socket.gethostname()}:{_describe_place()}:{os.getpid()}:{secrets.token_hex(4)}"


def find_ended(silent_s: Mapping[str, float], own_name: str) -> Sequence[str]:
    """Returns the names of ended processes of this machine: those before a crash.

    `silent_s` is for how many seconds each gateway did not call. A container that is restarted has its host name and
    its process id again, but another namespace. As others may have them too, its former process must have been silent.
    """
    own, ended = _split(own_name), []
    for name, seconds in silent_s.items():
        other = _split(name)
        if name == own_name or not own.machine or other.machine != own.machine:
            continue
        is_same_id = other.process_id == own.process_id
        if other.namespace != own.namespace:
            is_ended = is_same_id and seconds > RESTARTED_S
        else:
            is_ended = is_same_id or not _is_running(other.process_id)
        if is_ended:
            ended.append(name)
    return ended


def _describe_place() -> str:
    """Returns where a process id is unique: the start of the machine, and the namespace (pid_namespaces(7)).

    Machines and containers may share a host name. Where /proc does not tell, the text is random: no process is near.
    """
    try:
        return f"{BOOT_ID.read_text(encoding='ascii')[:8]}:{_NAMESPACE.stat().st_ino}"
    except (OSError, ValueError):
        return f"{secrets.token_hex(8)}:0"


def _split(name: str) -> _Name:
    *place, _random_part = name.rsplit(":", len(_Name._fields))
    return _Name(*place) if len(place) == len(_Name._fields) else _Name("", "", "")


def _is_running(process_id: str) -> bool:
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError, ValueError):  # the process of another user, or no number
        return True
    return True
