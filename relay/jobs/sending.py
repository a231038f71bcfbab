"""지원-005: sends statistics to the portal, one message for each week, member and type, until it is accepted.

Messages of a week are due at Monday's hour. Each is stored before it is sent and after the response. A leader that dies
in between leaves a waiting message: it is sent again with the same figures, and the portal uses the last one. A message
is also sent again when the portal requests it (지원-104), or when late batches of gateways changed its figures.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final

from relay.domain.portal import Portal, PortalDown, PortalRefused
from relay.domain.statistics import ON_DEMAND, Sending, SendingState, StatisticsStore
from relay.jobs.runner import JobFailed
from relay.policy.statistics.report import TYPES, build_report, serialize_report
from relay.policy.statistics.weeks import (
    MAX_WEEKS,
    complete_weeks,
    days_of,
    is_sunday,
    monday_due,
    next_monday,
    weeks_back,
)

LATE_WEEKS: Final = 4
"""Number of weeks that are checked for figures changed after sending."""
LATE_S: Final = 120
"""Tolerance for a batch's time, which is set before its commit and by another machine's clock."""


@dataclass(slots=True)
class _Run:
    """One run of the job under the fence of one leader: number of messages and their results."""

    fence: int
    now: int
    total: int = 0
    accepted: int = 0
    unchanged: int = 0
    refused: list[str] = field(default_factory=list)

    def describe(self) -> str:
        """Returns the result in words."""
        parts = [f"{self.accepted} of {self.total} sent"] if self.total else ["nothing to send"]
        if self.unchanged:
            parts.append(f"{self.unchanged} unchanged since they were sent")
        if self.refused:
            parts.append(f"{len(self.refused)} refused by the portal, first {self.refused[0]}")
        return ", ".join(parts)


class StatisticsSender:
    """The job that sends statistics. `members` returns today's org_codes, `clock` is Monday's hour, hhmm.

    Today's members have a message for the last week that is due, and for a week that was not processed while it was the
    last one. Institutions with counts in a week always have one. So a new member owes nothing for earlier weeks.
    """

    def __init__(
        self, store: StatisticsStore, portal: Portal, members: Callable[[], Collection[str]], clock: str
    ) -> None:
        self._store = store
        self._portal = portal
        self._members = members
        self._clock = clock

    def next_due(self, now: int) -> int:
        """Returns the next Monday's hour."""
        return next_monday(now, self._clock)

    async def wanted(self, now: int) -> bool:
        """Returns whether the portal requested a message (지원-104) that was not sent since."""
        return bool(await self._requested(now))

    async def run(self, fence: int, now: int) -> str:
        """Sends due messages, those that the portal requested first. Returns the result in words.

        Raises JobFailed when the portal is unavailable or refused a message (a later run retries), and Superseded.
        """
        run = _Run(fence, now)
        weeks = [week for week in await self._weeks(now) if monday_due(week, self._clock) <= now]
        due = [sending for week in weeks for sending in await self._due(run, week, latest=week == weeks[-1])]
        messages: dict[tuple[str, str, str], Sending] = {}
        for sending in (*await self._requested(now), *due):
            messages.setdefault((sending.week, sending.provider, sending.type), sending)
        run.total = len(messages)
        for message in messages.values():
            await self._process(run, message)
        if run.refused:
            raise JobFailed(run.describe())
        return run.describe()

    async def _requested(self, now: int) -> Sequence[Sending]:
        sendings = await self._store.requested_sendings(content=False)
        return [
            sending
            for sending in sendings
            if is_sunday(sending.week) and 0 <= weeks_back(sending.week, now) < MAX_WEEKS
        ]

    async def _weeks(self, now: int) -> Sequence[str]:
        """Returns the complete weeks since the first count, the oldest first."""
        return complete_weeks(await self._store.first_day(), now)

    async def _due(self, run: _Run, week: str, *, latest: bool) -> Sequence[Sending]:
        """Returns messages of a week that are to be sent or checked again; each is stored in the ledger first.

        A week was processed when one of its messages was tried since its hour: all were stored before that.
        """
        days = days_of(week)
        rows = {
            (sending.provider, sending.type): sending for sending in await self._store.sendings(week, content=False)
        }
        is_processed = any(sending.tried_at >= monday_due(week, self._clock) for sending in rows.values())
        is_recent = weeks_back(week, run.now) < LATE_WEEKS
        providers = {provider for provider, _ in rows}
        if is_recent or not is_processed:
            providers |= await self._store.providers_in(days[0], days[-1])
        if latest or not is_processed:
            providers |= set(self._members())
        for provider, type_ in product(sorted(providers), TYPES):
            if (provider, type_) not in rows:
                rows[provider, type_] = Sending(week, provider, type_, SendingState.WAITING)
                await self._store.save_sending(rows[provider, type_], run.fence, run.now)
        late = await self._late(days, rows.values()) if is_recent else frozenset()
        due = (
            sending
            for sending in rows.values()
            if sending.state is not SendingState.ACCEPTED or sending.provider in late
        )
        return sorted(due, key=lambda sending: (sending.provider, sending.type))

    async def _late(self, days: Sequence[str], rows: Iterable[Sending]) -> Collection[str]:
        """Returns institutions whose figures may have changed since the accepted ones were read."""
        read_at: dict[str, int] = {}
        for sending in rows:
            if sending.state is SendingState.ACCEPTED:
                read_at[sending.provider] = min(sending.counted_at, read_at.get(sending.provider, sending.counted_at))
        return {
            provider
            for provider, read in read_at.items()
            if await self._store.changed_since(days[0], days[-1], provider, read - LATE_S)
        }

    async def _process(self, run: _Run, former: Sending) -> None:
        """Sends one message. `former` is its stored state; an accepted one is not sent again unchanged."""
        days = days_of(former.week)
        counts = await self._store.counts(days[0], days[-1], former.provider)
        consents = await self._store.consent_counts(days, former.provider) if former.type == ON_DEMAND else ()
        report = build_report(former.week, former.provider, former.type, counts, consents)
        content = serialize_report(report)
        if (
            former.state is SendingState.ACCEPTED
            and not former.requested
            and await self._is_unchanged(run, former, content)
        ):
            run.unchanged += 1
            return
        message = replace(
            former,
            state=SendingState.WAITING,
            attempts=former.attempts + 1,
            tried_at=run.now,
            counted_at=run.now,
            content=content,
        )
        await self._store.save_sending(message, run.fence, run.now)
        await self._store.save_sending(await self._send(run, message, report), run.fence, run.now)

    async def _is_unchanged(self, run: _Run, former: Sending, content: bytes) -> bool:
        """Returns whether a message was accepted with this content, and stores that its figures were read again."""
        for stored in await self._store.sendings(former.week, former.provider):
            if (stored.type, stored.content) == (former.type, content):
                await self._store.save_sending(replace(stored, counted_at=run.now), run.fence, run.now)
                return True
        return False

    async def _send(self, run: _Run, message: Sending, report: Mapping[str, object]) -> Sending:
        """Sends a message. Returns its new state. Raises JobFailed when the portal is unavailable."""
        try:
            tran_id, rsp_code = await self._portal.send_statistics(report)
        except PortalRefused as refusal:
            run.refused.append(f"{message.provider} of {message.week}, type {message.type} ({refusal})")
            return replace(message, state=SendingState.REFUSED, rsp_code=refusal.rsp_code)
        except PortalDown as error:
            raise JobFailed(
                f"the portal is unavailable ({error}); {run.describe()}; the rest waits for the next run"
            ) from error
        run.accepted += 1
        return replace(
            message,
            state=SendingState.ACCEPTED,
            requested=False,
            accepted_at=run.now,
            tran_id=tran_id,
            rsp_code=rsp_code,
        )
