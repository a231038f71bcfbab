"""Finds the process that listens on a TCP port, for the error of a second relay on the same machine."""

import contextlib
import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_LISTEN: Final = "0A"
"""TCP_LISTEN in /proc/net/tcp (proc(5))."""


def find_listening_pid(address: str, port: int, proc: Path = _PROC) -> int | None:
    """Returns the id of the process that listens on an address, of several the oldest.

    Returns None if no process does, or if it belongs to another user: its descriptors are not visible then.
    """
    inodes = {f"socket:[{inode}]" for inode in _iter_inodes(address, port, proc)}
    pids = (int(folder.name) for folder in proc.iterdir() if folder.name.isdigit()) if inodes else ()
    return next((pid for pid in sorted(pids) if _has_socket(proc / str(pid) / "fd", inodes)), None)


def _iter_inodes(address: str, port: int, proc: Path) -> Iterator[str]:
    """Yields the inodes of sockets that listen on the port, on the same address or on all addresses."""
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError:  # a host name
        wanted = None
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                host, _, number = fields[1].partition(":")
                if fields[3] != _LISTEN or int(number, 16) != port:
                    continue
                bound = _parse_address(host)
                if wanted is None or bound == wanted or bound.is_unspecified or wanted.is_unspecified:
                    yield fields[9]


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Returns the address of a row: words of 32 bits in the byte order of the machine (x86 and ARM: little endian)."""
    words = (bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8))
    return ipaddress.ip_address(b"".join(words))


def _has_socket(folder: Path, inodes: set[str]) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:  # it has ended, or belongs to another user
        for entry in entries:
            with contextlib.suppress(OSError):
                if os.readlink(entry.path) in inodes:  # noqa: PTH115 - Path takes ten times as long
                    return True
    return False
