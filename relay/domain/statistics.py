"""What is counted, and how it is kept: the figures that decide fees (지원-004, 지원-005; core 5.1, 7.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

SCHEDULED: Final = "1"
"""통계정보 구분 1: 정기적 전송 (`x-api-type: scheduled`)."""
ON_DEMAND: Final = "2"
"""통계정보 구분 2: 비정기적 전송, everything else, authority's calls included."""

SLOTS: Final = ("00", "01")
"""시간대역 (첨부11): 09:00:00-17:59:59 in Korea, and the rest of the day."""


class Line(NamedTuple):
    """What is counted together. `stat_date` is YYYYMMDD in Korea, of the moment the answer ended, as is `tm_slot`.

    `client_id` is "" where nobody could tell which service of the operator called; such lines are kept and never sent.
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
        """Whether it counts in success_api_cnt (00000, 00001); fail_api_cnt otherwise."""
        return self.outcome.endswith(("_00000", "_00001"))


class Pulse(NamedTuple):
    """How an institution was met lately: when it last answered and when it last failed to (epoch seconds, 0: never).

    `failures` is how many failed since it last answered.
    """

    answered_at: int
    failed_at: int
    failures: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one gateway counted in a moment. The same `batch_id` is taken once, however often it is sent."""

    batch_id: str
    counts: Mapping[Line, int]
    pulses: Mapping[str, Pulse] = field(default_factory=dict)


class ConsentCount(NamedTuple):
    """Consents of one service at one institution on one day (type 2 of 지원-005).

    `new` given that day (신규·변경), `revoked` withdrawn that day (철회), `own` in force when it ended (유효).
    """

    stat_date: str
    provider: str
    operator: str
    client_id: str
    new: int
    revoked: int
    own: int


class SendingState(StrEnum):
    """Where a 지원-005 message stands: not sent yet, accepted by the portal, or refused (it will be tried again)."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Sending:
    """One 지원-005 message: week (inquiry_date, a Sunday, YYYYMMDD), member and type, what was sent, what came back.

    `asked` is whether the portal asked for it again (지원-104). `counted_at` is when the figures in it were read.
    """

    week: str
    provider: str
    type: str
    state: SendingState
    attempts: int = 0
    asked: bool = False
    tried_at: int = 0
    accepted_at: int = 0
    counted_at: int = 0
    tran_id: str = ""
    rsp_code: str = ""
    content: bytes = field(default=b"", repr=False)


class Repair(NamedTuple):
    """A line that a repair brought from the access records into the ledger.

    `at` is when (epoch seconds), `added` how many calls. `pending` of them are taken off when a batch brings them late.
    """

    at: int
    line: Line
    added: int
    pending: int


class StatisticsBook(Protocol):
    """Statistics in the ledger. Weeks are named by their inquiry_date: the Sunday after, 7 days before it are meant."""

    async def take_batch(self, batch: Batch, now: int) -> bool:
        """Add a batch; False when it was taken before. Both mean that it is safe."""

    async def counts(self, first: str, last: str, provider: str | None = None) -> Sequence[tuple[Line, int]]:
        """What was counted on the days `first` to `last`, in the order of the lines."""

    async def repair(self, stat_date: str, records: Mapping[Line, int], now: int) -> Sequence[Repair]:
        """Raise the lines of a day to what the access records say; what was added. Lines that have more stay."""

    async def repairs(self, first: str, last: str) -> Sequence[Repair]:
        """What was repaired of the days `first` to `last`, in the order in which it was."""

    async def consent_counts(self, days: Sequence[str], provider: str | None = None) -> Sequence[ConsentCount]:
        """Consents on these days, from the consents themselves; none with three zeros."""

    async def first_day(self) -> str:
        """The first day anything was counted on, "" when nothing was."""

    async def providers_in(self, first: str, last: str) -> frozenset[str]:
        """Institutions that anything was counted for on these days."""

    async def changed_since(self, first: str, last: str, provider: str, moment: int) -> bool:
        """Whether a batch changed this institution's figures of these days at `moment` or later."""

    async def pulse(self, provider: str) -> Pulse | None:
        """How an institution was met lately, by all gateways together."""

    async def sendings(self, week: str, provider: str | None = None, *, content: bool = True) -> Sequence[Sending]:
        """The messages of a week, of one institution or all, in the order of provider and type.

        `content` is b"" unless it is wanted: all of a week may be hundreds of megabytes.
        """

    async def keep_sending(self, sending: Sending, fence: int, now: int) -> None:
        """Keep a message as it stands now, in the place of what was kept of it. Raises Superseded.

        A request of the portal for it (`ask_again`) that came after `sending.counted_at` stays.
        """

    async def ask_again(self, week: str, provider: str, types: Sequence[str], now: int) -> None:
        """The portal wants these again (지원-104)."""

    async def asked_again(self, *, content: bool = True) -> Sequence[Sending]:
        """Those that the portal asked for and that were not accepted since. `content` as in `sendings`."""
