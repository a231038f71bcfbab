"""Token keys come and go: a new one is known before it signs, an old one stays until nothing it signed can be good."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from relay.infra.tokens.key_folder import SET, TokenKey, add_key, read_keys, write_set


class Duty(StrEnum):
    """What a key does just now: it waits for its time, signs, or only verifies what it signed."""

    WAITS = "waits"
    SIGNS = "signs"
    VERIFIES = "verifies"


@dataclass(frozen=True, slots=True)
class Standing:
    """A key, its duty, and from when on (epoch seconds) nothing it signed can be good; None while that is open."""

    key: TokenKey
    duty: Duty
    needed_until: int | None


def standings(keys: Sequence[TokenKey], now: int, lifetime_s: int) -> tuple[Standing, ...]:
    """How the keys stand at `now`, in their order. `lifetime_s` is how long the longest token lasts.

    A key signs until its successor does, so its last token ends `lifetime_s` after that. Of one without `signs_from`
    nobody knows what it signed: it is never done with.
    """
    begins = sorted(key.signs_from for key in keys if key.signs_from is not None)
    current = max((begin for begin in begins if begin <= now), default=None)
    found = []
    for key in keys:
        begin = key.signs_from
        follows = next((other for other in begins if begin is not None and other > begin), None)
        if begin is not None and begin > now:
            duty = Duty.WAITS
        else:
            duty = Duty.SIGNS if begin is not None and begin == current else Duty.VERIFIES
        found.append(Standing(key, duty, None if follows is None else follows + lifetime_s))
    return tuple(found)


def rotate(folder: Path, kid: str, now: int, overlap_s: int) -> TokenKey:
    """Make the next key: it signs `overlap_s` from now on, at once when no key signs yet. The others go on verifying.

    Raises TokenKeyProblem, OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder):
        keys = read_keys(folder) if (folder / SET).exists() else ()
        signs = any(one.duty is Duty.SIGNS for one in standings(keys, now, 0))
        return add_key(folder, kid, now + overlap_s if signs else now)


def prune(folder: Path, now: int, lifetime_s: int) -> tuple[str, ...]:
    """Remove the keys that nothing good can be signed with any more; their kids. Raises TokenKeyProblem, OSError.

    The set forgets a key before its private half goes: nobody finds half of a pair.
    """
    with _alone(folder):
        found = standings(read_keys(folder), now, lifetime_s)
        over = [one.key.kid for one in found if one.needed_until is not None and one.needed_until <= now]
        if over:
            write_set(folder, [one.key for one in found if one.key.kid not in over])
        for kid in over:
            (folder / f"{kid}.pem").unlink(missing_ok=True)
        return tuple(over)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two that change the set at once would lose a key."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
