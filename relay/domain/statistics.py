"""Statistics that decide fees: counters, messages to the portal, their store (지원-004, 지원-005; core 5.1, 7.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

SCHEDULED: Final = "1"
"""통계정보 구분 1: 정기적 전송 (`x-api-type: scheduled`)."""
ON_DEMAND: Final = "2"
"""통계정보 구분 2: 비정기적 전송, all other calls, calls to the authority included."""

SLOTS: Final = ("00", "01")
"""시간대역 (첨부11): 09:00:00-17:59:59 Korean time, and the rest of the day."""


class Line(NamedTuple):
    """The key of one counter. `stat_date` is YYYYMMDD in Korea; it and `tm_slot` are those of the end of the response.

    `client_id` is "" when the service of the operator is unknown; such lines are stored and never sent.
    `outcome` is the HTTP status and the rsp_code or OAuth error, `200_00000`, `400_invalid_grant`; `_00000` and
    `_00001` at its end are success.
    """

    stat_date: str
    tm_slot: str
    provider: str
    operator: str
    client_id: str
    type: str
    api_code: str
    outcome: str

    @property
    def success(self) -> bool:
        """Whether it counts in success_api_cnt (00000, 00001); otherwise it counts in fail_api_cnt."""
        return self.outcome.endswith(("_00000", "_00001"))


class Pulse(NamedTuple):
    """Passive health of an institution: when it last answered and last failed (epoch seconds, 0 for never).

    `failures` is the number of failures since the last answer.
    """

    answered_at: int
    failed_at: int
    failures: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Counts of one gateway over a short time. The ledger takes each `batch_id` once, however often it is sent."""

    batch_id: str
    counts: Mapping[Line, int]
    pulses: Mapping[str, Pulse] = field(default_factory=dict)


class ConsentCount(NamedTuple):
    """Consents of one service at one institution on one day (type 2 of 지원-005).

    `new` were given that day (신규·변경), `revoked` withdrawn that day (철회), `own` in force at its end (유효).
    """

    stat_date: str
    provider: str
    operator: str
    client_id: str
    new: int
    revoked: int
    own: int


class SendingState(StrEnum):
    """State of a 지원-005 message: not sent yet, accepted by the portal, or refused (it is sent again later)."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Sending:
    """One 지원-005 message: week (inquiry_date, a Sunday, YYYYMMDD), member, type, content, and the portal's response.

    `requested` is whether the portal requested it again (지원-104). `counted_at` is when its figures were read.
    """

    week: str
    provider: str
    type: str
    state: SendingState
    attempts: int = 0
    requested: bool = False
    tried_at: int = 0
    accepted_at: int = 0
    counted_at: int = 0
    tran_id: str = ""
    rsp_code: str = ""
    content: bytes = field(default=b"", repr=False)


class Repair(NamedTuple):
    """A line that a repair added to the ledger from the access records.

    `at` is the time (epoch seconds), `added` the number of calls. `pending` of them are subtracted when a batch brings
    them late.
    """

    at: int
    line: Line
    added: int
    pending: int


class StatisticsStore(Protocol):
    """Statistics in the ledger. A week is named by its inquiry_date, the Sunday after it, and has the 7 days before."""

    async def take_batch(self, batch: Batch, now: int) -> bool:
        """Adds a batch. Returns False when it was added before; in both cases the ledger has it."""

    async def counts(self, first: str, last: str, provider: str | None = None) -> Sequence[tuple[Line, int]]:
        """Returns counts of the days `first` to `last`, sorted by line."""

    async def repair(self, stat_date: str, records: Mapping[Line, int], now: int) -> Sequence[Repair]:
        """Raises the lines of a day to the counts of the access records. Returns the additions; higher lines stay."""

    async def repairs(self, first: str, last: str) -> Sequence[Repair]:
        """Returns repairs of the days `first` to `last`, in the order in which they were made."""

    async def consent_counts(self, days: Sequence[str], provider: str | None = None) -> Sequence[ConsentCount]:
        """Returns consent counts of these days, read from the consents; rows with three zeros are left out."""

    async def first_day(self) -> str:
        """Returns the first day with counts, "" when there is none."""

    async def providers_in(self, first: str, last: str) -> frozenset[str]:
        """Returns institutions with counts on these days."""

    async def changed_since(self, first: str, last: str, provider: str, moment: int) -> bool:
        """Returns whether a batch changed this institution's figures of these days at `moment` or later."""

    async def pulse(self, provider: str) -> Pulse | None:
        """Returns the passive health of an institution, summed over all gateways."""

    async def sendings(self, week: str, provider: str | None = None, *, content: bool = True) -> Sequence[Sending]:
        """Returns messages of a week, of one institution or all, sorted by provider and type.

        `content` is b"" unless requested: a week may hold hundreds of megabytes.
        """

    async def save_sending(self, sending: Sending, fence: int, now: int) -> None:
        """Stores the current state of a message in place of the former one. Raises Superseded.

        A request of the portal (`request_resend`) that came after `sending.counted_at` stays open.
        """

    async def request_resend(self, week: str, provider: str, types: Sequence[str], now: int) -> None:
        """Records that the portal requests these messages again (지원-104)."""

    async def requested_sendings(self, *, content: bool = True) -> Sequence[Sending]:
        """Returns messages that the portal requested and has not accepted since. `content` as in `sendings`."""
