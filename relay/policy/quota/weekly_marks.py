"""Once a week: which scheduled transfers were made, and when one may be made again (정기적 전송, 규격 3.3.1).

A transfer counts for the week, Sunday to Saturday in Korea, in which its first page was answered. It is made when its
last page was answered with a success. So a transfer of several pages has two marks: one that it began this week, one
that it was made.
"""

from collections import deque
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from relay.domain.fault import FAULTS, Refusal
from relay.domain.korea import WEEK_S, start_of_week
from relay.domain.quota import Transfer
from relay.policy.quota.mark_set import MARK_BYTES, MarkSet

MAX_MARKS: Final = 10_000_000
"""Marks of one week that are known at most, 160 MB; further transfers may be repeated."""

MAX_UNSAVED: Final = 100_000
"""Marks that may wait for the ledger; more are known to this gateway alone."""

MAX_UNDECIDED: Final = 10_000
BEGUN_S: Final = 3.0
"""How long the last page of a transfer waits for the news, from another gateway, that it began this week."""

_SHRINK_BUCKETS: Final = 4096
BATCH: Final = 500
"""Marks that the ledger gets at once: 8 KB."""


class WeeklyMarks:
    """The marks of this week and of the next, for gateways whose clocks differ.

    `check` and `complete` are for calls, the rest for what shares the marks with other gateways. `lost` counts marks
    that were not kept or not shared.
    """

    def __init__(self, now: float, max_marks: int = MAX_MARKS, max_unsaved: int = MAX_UNSAVED) -> None:
        self._week = start_of_week(now)
        self._weeks: dict[int, MarkSet] = {}
        self._former: list[MarkSet] = []
        self._max_marks = max_marks
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

    def check(self, marks: Sequence[bytes], now: float) -> int:
        """Returns the week of a call at epoch time `now`. Raises Refusal(weekly_quota) if one of the marks is known.

        There are several marks while the key changes that makes them.
        """
        week = start_of_week(now)
        known = self._weeks.get(week)
        if known is not None and any(mark in known for mark in marks):
            raise Refusal(FAULTS["weekly_quota"], retry_after=week + WEEK_S - now)
        return week

    def complete(self, transfer: Transfer, now: float, *, is_last: bool) -> None:
        """Notes a page that was answered with a success and sent, at monotonic `now`; `is_last` for the last one.

        The last of several pages makes the transfer if it began this week; else its week is over, and it is no
        transfer of this one. If the first page came through another gateway, `decide` knows it later.
        """
        if not is_last:
            if not transfer.is_continuation:
                self._note(transfer.week, _get_begun(transfer.mark))
        elif not transfer.is_continuation or self._has_begun(transfer):
            self._note(transfer.week, transfer.mark)
        elif len(self._undecided) < MAX_UNDECIDED:
            self._undecided.append((now + BEGUN_S, transfer))
        else:
            self.lost += 1

    def decide(self, now: float) -> None:
        """Notes transfers whose beginning is known by now; forgets those that began earlier than this week."""
        for _ in range(len(self._undecided)):
            until, transfer = self._undecided.popleft()
            if self._has_begun(transfer):
                self._note(transfer.week, transfer.mark)
            elif now < until:
                self._undecided.append((until, transfer))

    def add(self, week: int, marks: bytes) -> None:
        """Adds marks that other gateways share, joined."""
        if self._week <= week <= self._week + WEEK_S:
            for start in range(0, len(marks) - MARK_BYTES + 1, MARK_BYTES):
                self._add(week, marks[start : start + MARK_BYTES])

    def get_unsaved(self) -> tuple[int, Sequence[bytes]] | None:
        """Returns a week and marks of it, at most BATCH, that are not shared yet; None when there are none."""
        week = next(iter(self._unsaved), None)
        return None if week is None else (week, self._unsaved[week][:BATCH])

    def confirm(self, week: int, count: int) -> None:
        """Forgets the first unsaved marks of a week: they are shared."""
        marks = self._unsaved[week]
        del marks[:count]
        self.waiting -= count
        if not marks:
            del self._unsaved[week]

    def _has_begun(self, transfer: Transfer) -> bool:
        known = self._weeks.get(transfer.week)
        return known is not None and _get_begun(transfer.mark) in known

    def _note(self, week: int, mark: bytes) -> None:
        """Adds a mark that is to be shared, unless its week is over."""
        if week < self._week or mark in self._weeks.get(week, ()):
            return
        self._add(week, mark)
        if self.waiting < self._max_unsaved:
            self._unsaved.setdefault(week, []).append(mark)
            self.waiting += 1
        else:
            self.lost += 1

    def _add(self, week: int, mark: bytes) -> None:
        known = self._weeks.setdefault(week, MarkSet())
        if len(known) < self._max_marks:
            known.add(mark)
        else:
            self.lost += 1


def compute_mark(key: bytes, description: bytes) -> bytes:
    """Returns the mark of a transfer: a keyed digest, since its description names an account. PERF: 1 us."""
    return blake2b(description, digest_size=MARK_BYTES, key=key).digest()


def _get_begun(mark: bytes) -> bytes:
    """Returns the mark that a transfer of several pages began."""
    return blake2b(mark, digest_size=MARK_BYTES, person=b"begun").digest()
