"""Work that nobody asks for each time, done by one leader among many instances, its state in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

AHEAD_MOST_S: Final = 360
"""A term ends at most so long after now: `jobs.term_s` is at most 300, and clocks differ a little."""


def age_of(moment: int, born: float, now: float) -> float:
    """Seconds since `moment`; since our start `born` when it is 0 or lies further ahead than clocks differ."""
    counts = 0 < moment <= now + AHEAD_MOST_S
    return max(0.0, now - (moment if counts else born))


class Superseded(Exception):
    """Another instance leads since: what was to be written is not. Whoever hears this stops what it does."""


@dataclass(frozen=True, slots=True)
class Term:
    """One instance's time as leader. `fence` grows with every change of leader and goes with everything written.

    `until` is when it ends unless it is renewed, epoch seconds.
    """

    holder: str
    fence: int
    until: int

    def runs(self, now: int) -> bool:
        """Whether it lasts still. One that ends too late to be true does not: a wrong clock wrote it."""
        return now < self.until <= now + AHEAD_MOST_S


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job stands. Times in epoch seconds, 0 for never. `failures` in a row; `told` its last outcome in words.

    `due_at` is when it runs next by itself. `asked_at` is later than `begun_at` while somebody waits for it to run.
    """

    name: str
    begun_at: int = 0
    ended_at: int = 0
    succeeded_at: int = 0
    due_at: int = 0
    failures: int = 0
    asked_at: int = 0
    told: str = ""


@dataclass(frozen=True, slots=True)
class PortalCall:
    """One call the relay made to the portal: no credential, no body. `took_ms` from dialling to the answer's end.

    `status` 0 when no answer came; `outcome` is "ok" or what went wrong, in words without any value.
    """

    at: float
    api_id: str
    tran_id: str
    attempt: int
    status: int
    rsp_code: str
    took_ms: float
    outcome: str


class Leadership(Protocol):
    """Who leads."""

    async def campaign(self, now: int) -> Term | None:
        """Become leader or stay it; None while another one is. To be asked again well before `until`."""

    async def resign(self) -> None:
        """Let another one lead at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may go: everything that was over before these moments (epoch seconds; `statistics` a day, YYYYMMDD)."""

    consents: int
    requests: int
    spent: int
    statistics: str
    calls: int


class Archive(Protocol):
    """What the ledger keeps after it is over."""

    async def purge(self, limits: Limits, fence: int, now: int) -> Mapping[str, int]:
        """Remove what is older than the limits, in small transactions; how many rows of each kind went.

        Raises Superseded. What is in force never goes, whatever its age.
        """


class JobsBook(Protocol):
    """Jobs in the ledger."""

    async def lead(self, holder: str, lasts_s: int, now: int) -> Term | None:
        """Leadership by the ledger itself: taken when nobody's term runs, renewed for its holder, None otherwise."""

    async def new_fence(self, holder: str, lasts_s: int, now: int) -> int:
        """The fence of a leader that was chosen elsewhere (Redis): higher than every one before."""

    async def yield_lead(self, holder: str, now: int) -> None:
        """End this holder's term, if it runs."""

    async def leader(self) -> Term | None:
        """The last term, whether or not it runs still."""

    async def jobs(self) -> Mapping[str, JobState]:
        """How the jobs stand, by name."""

    async def begun(self, name: str, fence: int, now: int) -> None:
        """A job begins. Raises Superseded."""

    async def ended(self, name: str, fence: int, *, well: bool, told: str, due_at: int, now: int) -> None:
        """A job ended. Raises Superseded."""

    async def ask(self, name: str, now: int) -> None:
        """Somebody wants a job to run now."""

    async def called(self, call: PortalCall) -> None:
        """Record a call to the portal."""

    async def calls(self, most: int) -> Sequence[PortalCall]:
        """The last calls to the portal, the latest first."""
