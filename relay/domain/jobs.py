"""Periodic jobs, run by one leader among many instances, with their state in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

MAX_AHEAD_S: Final = 360
"""The end of a term is at most this far ahead: `jobs.term_s` is at most 300, and clocks differ slightly."""


def seconds_since(moment: int, started_at: float, now: float) -> float:
    """Returns seconds since `moment`, or since `started_at` when it is 0 or further ahead than clocks differ."""
    is_plausible = 0 < moment <= now + MAX_AHEAD_S
    return max(0.0, now - (moment if is_plausible else started_at))


class Superseded(Exception):
    """Another instance leads. The write did not happen; the caller must stop its work."""


@dataclass(frozen=True, slots=True)
class Term:
    """One instance's time as leader. `fence` grows with every change of leader and accompanies every write.

    `until` is its end unless it is renewed, in epoch seconds.
    """

    holder: str
    fence: int
    until: int

    def is_running(self, now: int) -> bool:
        """Returns whether the term lasts at `now`. An end too far ahead was written by a wrong clock and is ignored."""
        return now < self.until <= now + MAX_AHEAD_S


@dataclass(frozen=True, slots=True)
class JobState:
    """State of a job. Times are epoch seconds, 0 for never. `failures` in a row; `result` of its last run in words.

    `due_at` is its next scheduled run. `requested_at` is later than `begun_at` while a requested run has not started.
    """

    name: str
    begun_at: int = 0
    ended_at: int = 0
    succeeded_at: int = 0
    due_at: int = 0
    failures: int = 0
    requested_at: int = 0
    result: str = ""


@dataclass(frozen=True, slots=True)
class PortalCall:
    """One call of the relay to the portal, without credential and body. `took_ms` lasts from dialling to the last byte.

    `status` is 0 without a response; `outcome` is "ok" or the reason of the failure, without any value.
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
    """Leader election."""

    async def campaign(self, now: int) -> Term | None:
        """Becomes or stays leader; returns None while another instance leads. To be repeated well before `until`."""

    async def resign(self) -> None:
        """Lets another instance lead at once."""


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """Rows that ended before these moments may be removed (epoch seconds; `statistics` is a day, YYYYMMDD)."""

    consents: int
    requests: int
    spent: int
    statistics: str
    calls: int


class Archive(Protocol):
    """Rows that the ledger keeps after they ended."""

    async def purge(self, limits: RetentionLimits, fence: int, now: int) -> Mapping[str, int]:
        """Removes rows older than the limits in small transactions. Returns the number of removed rows by kind.

        Raises Superseded. Rows in force stay, whatever their age.
        """


class JobStore(Protocol):
    """Jobs in the ledger."""

    async def lead(self, holder: str, lasts_s: int, now: int) -> Term | None:
        """Elects a leader by the ledger: starts a term when none runs, renews its holder's; returns None for others."""

    async def take_lead(self, holder: str, lasts_s: int, now: int) -> int:
        """Starts the term of a leader elected elsewhere (Redis); ends any other. Returns its fence, the highest yet."""

    async def release_lead(self, holder: str, now: int) -> None:
        """Ends this holder's term, if it runs."""

    async def load_leader(self) -> Term | None:
        """Returns the last term, whether or not it still runs."""

    async def load_states(self) -> Mapping[str, JobState]:
        """Returns job states by name."""

    async def record_start(self, name: str, fence: int, now: int) -> None:
        """Records that a job started. Raises Superseded."""

    async def record_end(self, name: str, fence: int, *, well: bool, result: str, due_at: int, now: int) -> None:
        """Records that a job ended. Raises Superseded."""

    async def request_run(self, name: str, now: int) -> None:
        """Requests a run of a job now."""

    async def record_call(self, call: PortalCall) -> None:
        """Records a call to the portal."""

    async def load_calls(self, limit: int) -> Sequence[PortalCall]:
        """Returns the last calls to the portal, the latest first."""
