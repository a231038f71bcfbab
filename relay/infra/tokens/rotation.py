"""Rotation of token keys: a new key is published before it signs, an old one stays until its last token expires."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from relay.infra.tokens.key_folder import KEY_SET_FILE, TokenKey, add_key, read_keys, write_key_set


class KeyState(StrEnum):
    """What a key does: it waits for its time, signs, or only verifies."""

    WAITS = "waits"
    SIGNS = "signs"
    VERIFIES = "verifies"


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """A key, its state, and the epoch second at which its last token expires; None if unknown."""

    key: TokenKey
    state: KeyState
    needed_until: int | None


def assess_keys(keys: Sequence[TokenKey], now: int, lifetime_s: int) -> tuple[KeyStatus, ...]:
    """Returns the status of each key at `now`, in their order. `lifetime_s` is the longest lifetime of a token.

    A key signs until its successor does, and its last token expires `lifetime_s` later. What a key without `signs_from`
    has signed is unknown: it is always needed.
    """
    starts = sorted(key.signs_from for key in keys if key.signs_from is not None)
    current = max((start for start in starts if start <= now), default=None)
    statuses = []
    for key in keys:
        start = key.signs_from
        successor = next((other for other in starts if start is not None and other > start), None)
        if start is not None and start > now:
            state = KeyState.WAITS
        else:
            state = KeyState.SIGNS if start is not None and start == current else KeyState.VERIFIES
        statuses.append(KeyStatus(key, state, None if successor is None else successor + lifetime_s))
    return tuple(statuses)


def rotate(folder: Path, kid: str, now: int, overlap_s: int) -> TokenKey:
    """Adds the next key. It signs from `now + overlap_s`, or at once if no key signs yet; the others go on verifying.

    Raises TokenKeyError, OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock(folder):
        keys = read_keys(folder) if (folder / KEY_SET_FILE).exists() else ()
        has_signer = any(status.state is KeyState.SIGNS for status in assess_keys(keys, now, 0))
        return add_key(folder, kid, now + overlap_s if has_signer else now)


def prune(folder: Path, now: int, lifetime_s: int) -> tuple[str, ...]:
    """Removes the keys whose tokens have all expired. Returns their kids. Raises TokenKeyError, OSError.

    A key is removed from the set before its private key is deleted, so that every listed key is complete.
    """
    with _lock(folder):
        statuses = assess_keys(read_keys(folder), now, lifetime_s)
        expired = [
            status.key.kid for status in statuses if status.needed_until is not None and status.needed_until <= now
        ]
        if expired:
            write_key_set(folder, [status.key for status in statuses if status.key.kid not in expired])
        for kid in expired:
            (folder / f"{kid}.pem").unlink(missing_ok=True)
        return tuple(expired)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Locks the folder: concurrent changes of the set would lose a key."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
