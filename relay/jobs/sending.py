"""지원-005: what was counted goes to the portal, a message for each week, member and type, until it is accepted.

A week's messages are due at Monday's hour. Each is kept before it is sent and after the answer came, so that a leader
who dies in between leaves one that waits: it is sent again, with the same figures, and the portal's last one counts. A
message is also sent again when the portal asks for it (지원-104), or when batches of gateways came late and changed its
figures.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final

from relay.domain.portal import Portal, PortalAway, PortalRefused
from relay.domain.statistics import ON_DEMAND, Sending, SendingState, StatisticsBook
from relay.jobs.runner import JobFailed
from relay.policy.statistics.report import TYPES, content_of, provider_report
from relay.policy.statistics.weeks import (
    WEEKS_MOST,
    complete_weeks,
    days_of,
    is_sunday,
    monday_due,
    next_monday,
    weeks_back,
)

LATE_WEEKS: Final = 4
"""So many weeks are looked at for figures that changed after they were sent."""
LATE_S: Final = 120
"""A batch is stamped before it is committed, by another machine's clock: so much earlier ones are looked at, too."""


@dataclass(slots=True)
class _Run:
    """One run of the job, under the fence of one leader: how many messages it has to do with, and how that went."""

    fence: int
    now: int
    total: int = 0
    accepted: int = 0
    unchanged: int = 0
    refused: list[str] = field(default_factory=list)

    def told(self) -> str:
        """What it did, in words."""
        parts = [f"{self.accepted} of {self.total} sent"] if self.total else ["nothing to send"]
        if self.unchanged:
            parts.append(f"{self.unchanged} still as they were sent")
        if self.refused:
            parts.append(f"{len(self.refused)} refused by the portal, first {self.refused[0]}")
        return ", ".join(parts)


class StatisticsSending:
    """The job that sends statistics. `members` tells the org_codes of today's members, `clock` is Monday's hour, hhmm.

    Today's members have a message for the last week that is due, and for a week nobody saw to while it was the last;
    whoever was counted in a week has one in any case. So a new member owes nothing for weeks before it came.
    """

    def __init__(
        self, book: StatisticsBook, portal: Portal, members: Callable[[], Collection[str]], clock: str
    ) -> None:
        self._book = book
        self._portal = portal
        self._members = members
        self._clock = clock

    def next_due(self, now: int) -> int:
        """The next Monday's hour."""
        return next_monday(now, self._clock)

    async def wanted(self, now: int) -> bool:
        """Whether the portal asked for something (지원-104) that it was not sent since."""
        return bool(await self._asked(now))

    async def run(self, fence: int, now: int) -> str:
        """Send what is owed, first what the portal asked for; what was done, in words.

        Raises JobFailed when the portal is away or refused something, which a later run tries again, and Superseded.
        """
        run = _Run(fence, now)
        weeks = [week for week in await self._weeks(now) if monday_due(week, self._clock) <= now]
        owed = [one for week in weeks for one in await self._owed(run, week, latest=week == weeks[-1])]
        messages: dict[tuple[str, str, str], Sending] = {}
        for one in (*await self._asked(now), *owed):
            messages.setdefault((one.week, one.provider, one.type), one)
        run.total = len(messages)
        for message in messages.values():
            await self._message(run, message)
        if run.refused:
            raise JobFailed(run.told())
        return run.told()

    async def _asked(self, now: int) -> Sequence[Sending]:
        asked = await self._book.asked_again(content=False)
        return [one for one in asked if is_sunday(one.week) and 0 <= weeks_back(one.week, now) < WEEKS_MOST]

    async def _weeks(self, now: int) -> Sequence[str]:
        """The complete weeks since anything was counted, the oldest first."""
        return complete_weeks(await self._book.first_day(), now)

    async def _owed(self, run: _Run, week: str, *, latest: bool) -> Sequence[Sending]:
        """The messages of a week that are to be sent or looked at again; each stands in the ledger from now on.

        A week was seen to when one of its messages was tried since its hour: they all stood there before that.
        """
        days = days_of(week)
        rows = {(one.provider, one.type): one for one in await self._book.sendings(week, content=False)}
        is_seen_to = any(one.tried_at >= monday_due(week, self._clock) for one in rows.values())
        is_recent = weeks_back(week, run.now) < LATE_WEEKS
        providers = {provider for provider, _ in rows}
        if is_recent or not is_seen_to:
            providers |= await self._book.providers_in(days[0], days[-1])
        if latest or not is_seen_to:
            providers |= set(self._members())
        for provider, kind in product(sorted(providers), TYPES):
            if (provider, kind) not in rows:
                rows[provider, kind] = Sending(week, provider, kind, SendingState.WAITING)
                await self._book.keep_sending(rows[provider, kind], run.fence, run.now)
        late = await self._late(days, rows.values()) if is_recent else frozenset()
        owed = (one for one in rows.values() if one.state is not SendingState.ACCEPTED or one.provider in late)
        return sorted(owed, key=lambda one: (one.provider, one.type))

    async def _late(self, days: Sequence[str], rows: Iterable[Sending]) -> Collection[str]:
        """The institutions whose figures may have changed since those that the portal accepted were read."""
        read_at: dict[str, int] = {}
        for one in rows:
            if one.state is SendingState.ACCEPTED:
                read_at[one.provider] = min(one.counted_at, read_at.get(one.provider, one.counted_at))
        return {
            provider
            for provider, moment in read_at.items()
            if await self._book.changed_since(days[0], days[-1], provider, moment - LATE_S)
        }

    async def _message(self, run: _Run, former: Sending) -> None:
        """Send one message. `former` is how it stood; one that was accepted as it would go now is not sent again."""
        days = days_of(former.week)
        counts = await self._book.counts(days[0], days[-1], former.provider)
        consents = await self._book.consent_counts(days, former.provider) if former.type == ON_DEMAND else ()
        report = provider_report(former.week, former.provider, former.type, counts, consents)
        content = content_of(report)
        if former.state is SendingState.ACCEPTED and not former.asked and await self._is_kept(run, former, content):
            run.unchanged += 1
            return
        going = replace(
            former,
            state=SendingState.WAITING,
            attempts=former.attempts + 1,
            tried_at=run.now,
            counted_at=run.now,
            content=content,
        )
        await self._book.keep_sending(going, run.fence, run.now)
        await self._book.keep_sending(await self._sent(run, going, report), run.fence, run.now)

    async def _is_kept(self, run: _Run, former: Sending, content: bytes) -> bool:
        """Whether a message was accepted as it would go now; then it is kept that its figures were read again."""
        for kept in await self._book.sendings(former.week, former.provider):
            if (kept.type, kept.content) == (former.type, content):
                await self._book.keep_sending(replace(kept, counted_at=run.now), run.fence, run.now)
                return True
        return False

    async def _sent(self, run: _Run, going: Sending, report: Mapping[str, object]) -> Sending:
        """Send it; how it stands then. Raises JobFailed when the portal is away."""
        try:
            tran_id, rsp_code = await self._portal.send_statistics(report)
        except PortalRefused as refusal:
            run.refused.append(f"{going.provider} of {going.week}, type {going.type} ({refusal})")
            return replace(going, state=SendingState.REFUSED, rsp_code=refusal.rsp_code)
        except PortalAway as away:
            raise JobFailed(f"the portal is away ({away}); {run.told()}; the rest waits for the next run") from away
        run.accepted += 1
        return replace(
            going,
            state=SendingState.ACCEPTED,
            asked=False,
            accepted_at=run.now,
            tran_id=tran_id,
            rsp_code=rsp_code,
        )
