"""Once a week: which scheduled transfers were made, and when one may be made again (정기적 전송, 규격 3.3.1).

A transfer counts for the week, Sunday to Saturday in Korea, in which its first page was answered. It is made when its
last page was answered with a success. So a transfer of several pages has two digests: one that it began this week, one
that it was made.
"""

from collections import deque
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from relay.domain.fault import FAULTS, Refusal
from relay.domain.korea import WEEK_S, start_of_week
from relay.domain.quota import Transfer
from relay.policy.quota.digest_set import DIGEST_BYTES, DigestSet

MAX_DIGESTS: Final = 10_000_000
"""Digests of one week that are known at most, 160 MB; further transfers may be repeated."""

MAX_UNSAVED: Final = 100_000
"""Digests that may wait for the ledger; more are known to this gateway alone."""

MAX_UNDECIDED: Final = 10_000
START_S: Final = 3.0
"""How long the last page of a transfer waits for the news, from another gateway, that it began this week."""

BATCH: Final = 500
"""Digests that the ledger gets at once: 8 KB."""

_SHRINK_BUCKETS: Final = 4096


class WeeklyQuota:
    """The digests of this week and of the next, for gateways whose clocks differ.

    `check` and `complete` are for calls, the rest is for what shares the digests with other gateways. `lost` counts
    digests that were not kept or not shared.
    """

    def __init__(self, now: float, max_digests: int = MAX_DIGESTS, max_unsaved: int = MAX_UNSAVED) -> None:
        self._week = start_of_week(now)
        self._weeks: dict[int, DigestSet] = {}
        self._former: list[DigestSet] = []
        self._max_digests = max_digests
        self._max_unsaved = max_unsaved
        self._unsaved: dict[int, list[bytes]] = {}
        self._undecided: deque[tuple[float, Transfer]] = deque()
        self.waiting = 0
        self.lost = 0

    def __len__(self) -> int:
        return sum(map(len, self._weeks.values()))

    @property
    def week(self) -> int:
        """The moment at which this week began."""
        return self._week

    def advance(self, now: float) -> None:
        """Forgets former weeks, a part at each call. A clock that is set back brings none of them back."""
        self._week = max(self._week, start_of_week(now))
        for week in [week for week in self._weeks if week < self._week]:
            self._former.append(self._weeks.pop(week))
        if self._former and self._former[-1].shrink(_SHRINK_BUCKETS):
            self._former.pop()

    def check(self, digests: Sequence[bytes], now: float) -> int:
        """Returns the week of a call at epoch time `now`. Raises Refusal(weekly_quota) if one of the digests is known.

        There are several digests while the key changes that makes them.
        """
        week = start_of_week(now)
        known = self._weeks.get(week)
        if known is not None and any(digest in known for digest in digests):
            raise Refusal(FAULTS["weekly_quota"], retry_after=week + WEEK_S - now)
        return week

    def complete(self, transfer: Transfer, now: float, *, is_last: bool) -> None:
        """Notes a page that was answered with a success and sent, at monotonic `now`; `is_last` for the last one.

        The last of several pages makes the transfer if it began this week; else its week is over, and it is no
        transfer of this one. If the first page came through another gateway, `decide` knows it later.
        """
        if not is_last:
            if not transfer.is_continuation:
                self._note(transfer.week, _derive_start(transfer.digest))
        elif not transfer.is_continuation or self._has_started(transfer):
            self._note(transfer.week, transfer.digest)
        elif len(self._undecided) < MAX_UNDECIDED:
            self._undecided.append((now + START_S, transfer))
        else:
            self.lost += 1

    def decide(self, now: float) -> None:
        """Notes transfers whose beginning is known by now; forgets those that began earlier than this week."""
        for _ in range(len(self._undecided)):
            until, transfer = self._undecided.popleft()
            if self._has_started(transfer):
                self._note(transfer.week, transfer.digest)
            elif now < until:
                self._undecided.append((until, transfer))

    def add(self, week: int, digests: bytes) -> None:
        """Adds digests that other gateways share, joined."""
        if self._week <= week <= self._week + WEEK_S:
            for start in range(0, len(digests) - DIGEST_BYTES + 1, DIGEST_BYTES):
                self._add(week, digests[start : start + DIGEST_BYTES])

    def get_unsaved(self) -> tuple[int, Sequence[bytes]] | None:
        """Returns a week and digests of it, at most BATCH, that are not shared yet; None when there are none."""
        week = next(iter(self._unsaved), None)
        return None if week is None else (week, self._unsaved[week][:BATCH])

    def confirm(self, week: int, count: int) -> None:
        """Forgets the first unsaved digests of a week: they are shared."""
        digests = self._unsaved[week]
        del digests[:count]
        self.waiting -= count
        if not digests:
            del self._unsaved[week]

    def _has_started(self, transfer: Transfer) -> bool:
        known = self._weeks.get(transfer.week)
        return known is not None and _derive_start(transfer.digest) in known

    def _note(self, week: int, digest: bytes) -> None:
        """Adds a digest that is to be shared, unless its week is over."""
        if week < self._week or digest in self._weeks.get(week, ()):
            return
        self._add(week, digest)
        if self.waiting < self._max_unsaved:
            self._unsaved.setdefault(week, []).append(digest)
            self.waiting += 1
        else:
            self.lost += 1

    def _add(self, week: int, digest: bytes) -> None:
        known = self._weeks.setdefault(week, DigestSet())
        if len(known) < self._max_digests:
            known.add(digest)
        else:
            self.lost += 1


def compute_digest(key: bytes, description: bytes) -> bytes:
    """Returns the digest of a transfer. It is keyed, since the description names an account. PERF: 1 us."""
    return blake2b(description, digest_size=DIGEST_BYTES, key=key).digest()


def _derive_start(digest: bytes) -> bytes:
    """Returns the digest that a transfer of several pages began."""
    return blake2b(digest, digest_size=DIGEST_BYTES, person=b"start").digest()
