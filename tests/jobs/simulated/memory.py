"""Statistics and a portal in memory, to test single rules of sending."""

from dataclasses import replace

from relay.domain.jobs import Superseded
from relay.domain.portal import PortalRefused
from relay.domain.statistics import Sending, SendingState


class FakeStore:
    """A StatisticsStore in memory."""

    def __init__(self):
        self.counted = {}
        self.changed = {}
        self.consents = []
        self.rows = {}
        self.requested_at = {}
        self.fence = 0
        self.saved = []

    def count(self, line, number=1, when=0):
        self.counted[line] = self.counted.get(line, 0) + number
        self.changed[line] = when

    def _lines(self, first, last, provider):
        lines = (line for line in self.counted if first <= line.stat_date <= last)
        return sorted(line for line in lines if provider in {None, line.provider})

    async def counts(self, first, last, provider=None):
        return [(line, self.counted[line]) for line in self._lines(first, last, provider)]

    async def consent_counts(self, days, provider=None):
        return [count for count in self.consents if count.stat_date in days and provider in {None, count.provider}]

    async def first_day(self):
        return min((line.stat_date for line in self.counted), default="")

    async def providers_in(self, first, last):
        return frozenset(line.provider for line in self._lines(first, last, None))

    async def changed_since(self, first, last, provider, moment):
        return any(self.changed[line] >= moment for line in self._lines(first, last, provider))

    async def sendings(self, week, provider=None, *, content=True):
        rows = [row for key, row in sorted(self.rows.items()) if key[0] == week and provider in {None, key[1]}]
        return rows if content else [replace(row, content=b"") for row in rows]

    async def save_sending(self, sending, fence, now):
        if fence < self.fence:
            raise Superseded
        self.fence = fence
        key = (sending.week, sending.provider, sending.type)
        is_requested = sending.requested or self.requested_at.get(key, 0) > sending.counted_at
        self.rows[key] = replace(sending, requested=is_requested)
        self.saved.append(self.rows[key])

    async def request_resend(self, week, provider, types, now):
        for kind in types:
            key = (week, provider, kind)
            self.requested_at[key] = now
            former = self.rows.get(key) or Sending(week, provider, kind, SendingState.WAITING)
            self.rows[key] = replace(former, requested=True)

    async def requested_sendings(self, *, content=True):
        rows = [row for _, row in sorted(self.rows.items()) if row.requested]
        return rows if content else [replace(row, content=b"") for row in rows]


class FakePortal:
    """A portal that stores what it accepts. `errors` has an error or None for each of the next messages."""

    def __init__(self):
        self.received = []
        self.errors = []

    async def send_statistics(self, body):
        error = self.errors.pop(0) if self.errors else None
        if not isinstance(error, PortalRefused):
            self.received.append(body)
        if error is not None:
            raise error
        return f"tran{len(self.received)}", "00000"

    @property
    def keys(self):
        return [(body["inquiry_date"], body["org_code"], body["type"]) for body in self.received]
