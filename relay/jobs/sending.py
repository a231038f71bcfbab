"""지원-005: what was counted goes to the portal, a message for each week, member and type, until it is accepted.

A week's messages are due at Monday's hour. Each is kept before it is sent and after the answer came, so that a leader
who dies in between leaves one that waits: it is sent again, with the same figures, and the portal's last one counts. A
message is also sent again when the portal asks for it (지원-104), or when batches of gateways came late and changed its
figures.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from relay.domain.portal import Portal, PortalAway, PortalRefused
from relay.domain.statistics import ON_DEMAND, Sending, SendingState, StatisticsBook
from relay.jobs.runner import JobFailed
from relay.policy.report import TYPES, content_of, provider_report
from relay.policy.weeks import WEEKS_MOST, complete_weeks, days_of, is_sunday, monday_due, next_monday, weeks_back

LATE_WEEKS: Final = 4
"""So many weeks are looked at for figures that changed after they were sent."""
LATE_S: Final = 120
"""A batch is stamped before it is committed, by another machine's clock: so much earlier ones are looked at, too."""

_Rows = Mapping[tuple[str, str], Sending]
"""The messages of one week by provider and type."""


@dataclass(slots=True)
class _Run:
    """One run of the job, under the fence of one leader: what it tried and how that went."""

    fence: int
    now: int
    tried: set[tuple[str, str, str]] = field(default_factory=set)
    accepted: int = 0
    unchanged: int = 0
    refused: list[str] = field(default_factory=list)

    def told(self) -> str:
        """What it did, in words."""
        parts = [f"{self.accepted} sent"] if self.tried else ["nothing to send"]
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
        await self._each(run, await self._asked(now))
        weeks = [week for week in await self._weeks(now) if monday_due(week, self._clock) <= now]
        for week in weeks:
            await self._each(run, await self._owed(run, week, latest=week == weeks[-1]))
        return _ended(run)

    async def send(self, week: str, provider: str, types: Iterable[str], fence: int, now: int) -> str:
        """Send these messages because a person wants it, accepted or not; what was done, in words.

        Raises JobFailed, also for a week that is not complete or none, and Superseded.
        """
        if not is_sunday(week) or weeks_back(week, now) < 0:
            raise JobFailed("a week is named by its inquiry_date, a Sunday (YYYYMMDD), once its Saturday is over")
        rows = _by_type(await self._book.sendings(week))
        run = _Run(fence, now)
        await self._each(run, [replace(_message(rows, week, provider, kind), asked=True) for kind in types])
        return _ended(run)

    async def _asked(self, now: int) -> Sequence[Sending]:
        asked = await self._book.asked_again()
        return [one for one in asked if is_sunday(one.week) and 0 <= weeks_back(one.week, now) < WEEKS_MOST]

    async def _weeks(self, now: int) -> Sequence[str]:
        """The complete weeks since anything was counted, the oldest first."""
        return complete_weeks(await self._book.first_day(), now)

    async def _owed(self, run: _Run, week: str, *, latest: bool) -> Sequence[Sending]:
        """The messages of a week that are to be sent or looked at again; each stands in the ledger from now on."""
        days = days_of(week)
        rows = _by_type(await self._book.sendings(week))
        providers = {provider for provider, _ in rows} | await self._book.providers_in(days[0], days[-1])
        if latest or not _seen_to(rows.values()):
            providers |= set(self._members())
        messages = [_message(rows, week, provider, kind) for provider in sorted(providers) for kind in TYPES]
        for message in messages:
            if (message.provider, message.type) not in rows:
                await self._book.keep_sending(message, run.fence, run.now)
        return [message for message in messages if await self._is_owed(message, run.now)]

    async def _is_owed(self, message: Sending, now: int) -> bool:
        if message.state is not SendingState.ACCEPTED:
            return True
        if weeks_back(message.week, now) >= LATE_WEEKS:
            return False
        days = days_of(message.week)
        return await self._book.changed_since(days[0], days[-1], message.provider, message.counted_at - LATE_S)

    async def _each(self, run: _Run, messages: Iterable[Sending]) -> None:
        for message in messages:
            if (key := (message.week, message.provider, message.type)) not in run.tried:
                run.tried.add(key)
                await self._message(run, message)

    async def _message(self, run: _Run, former: Sending) -> None:
        """Send one message. `former` is how it stood; one that was accepted as it would go now is not sent again."""
        days = days_of(former.week)
        counts = await self._book.counts(days[0], days[-1], former.provider)
        consents = await self._book.consent_counts(days, former.provider) if former.type == ON_DEMAND else ()
        report = provider_report(former.week, former.provider, former.type, counts, consents)
        content = content_of(report)
        if former.state is SendingState.ACCEPTED and not former.asked and former.content == content:
            run.unchanged += 1
            await self._book.keep_sending(replace(former, counted_at=run.now), run.fence, run.now)
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


def _ended(run: _Run) -> str:
    if run.refused:
        raise JobFailed(run.told())
    return run.told()


def _by_type(rows: Iterable[Sending]) -> _Rows:
    return {(one.provider, one.type): one for one in rows}


def _message(rows: _Rows, week: str, provider: str, kind: str) -> Sending:
    """How a message stands; one that waits when it was never kept."""
    return rows.get((provider, kind)) or Sending(week, provider, kind, SendingState.WAITING)


def _seen_to(rows: Iterable[Sending]) -> bool:
    """Whether the job saw to a week before: its messages stand there without the portal having asked for them."""
    return any(not one.asked or one.attempts for one in rows)
