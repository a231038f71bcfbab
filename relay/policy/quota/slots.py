"""Slots: how many calls may be in flight at an institution, shared by all gateways.

A gateway holds slots of an institution while it has calls there. The store gives each gateway what it wants as long as
all together hold no more than `concurrency`; if they want more, it divides the slots equally between those that want
them; slots that are left over go from one to the next. While the store is unavailable, a gateway has its part of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

PEAK_S: Final = 2.0
"""For so long a gateway keeps slots that it used."""

RENEW_S: Final = 0.2
"""Time between two requests for all institutions in use: the others see by them that the slots are held."""

CONTESTED_S: Final = 0.05
"""Time between two requests for institutions of which gateways want more slots than there are: they change hands."""

RETRY_S: Final = 0.02
"""Time until more slots are asked for, after the store had fewer than wanted."""


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """What the store is asked for one institution: `wanted` slots; `in_use` of those held have a call in flight."""

    org_code: str
    concurrency: int
    in_use: int
    wanted: int


class SlotUser(Protocol):
    """Uses the slots of one institution. `pool` is what uses them: with another one the institution begins anew."""

    @property
    def pool(self) -> object:
        """What uses the slots."""

    def count_calls(self) -> tuple[int, int]:
        """Returns the calls in flight and those that wait for a slot."""

    def share_slots(self, on_wait: Callable[[], None]) -> None:
        """Begins without a slot. `on_wait` is called when a call waits for one."""

    def set_slots(self, slots: int) -> None:
        """Allows so many calls at once. Waiting calls begin; calls in flight above it are completed."""


class InstitutionSlots:
    """The slots of one institution that this gateway holds. `is_contested` while it wants more of them."""

    __slots__ = ("_peak", "_peak_at", "concurrency", "held", "is_contested", "org_code", "retry_at", "user")

    def __init__(self, org_code: str, concurrency: int, user: SlotUser) -> None:
        self.org_code = org_code
        self.concurrency = concurrency
        self.user = user
        self.held = 0
        self.is_contested = False
        self.retry_at = float("-inf")
        self._peak = 0
        self._peak_at = float("-inf")

    def build_request(self, now: float) -> SlotRequest | None:
        """Returns what to ask the store now, None if nothing is wanted or held.

        Wanted are slots for all calls and for the most of lately, and a third more, since an operator alone may take
        three quarters of them (`operator_shares`).
        """
        in_use, waiting = self.user.count_calls()
        demand = in_use + waiting
        if demand >= self._peak or now - self._peak_at > PEAK_S:
            self._peak, self._peak_at = demand, now
        wanted = min(self.concurrency, self._peak + self._peak // 3 + 1) if self._peak else 0
        if not wanted and not self.held:
            return None
        return SlotRequest(self.org_code, self.concurrency, in_use, wanted)

    def build_return(self) -> SlotRequest:
        """Returns what gives the slots back."""
        return SlotRequest(self.org_code, self.concurrency, 0, 0)

    def receive(self, slots: int, wanted: int, now: float) -> None:
        """Takes the slots that the store gave of those `wanted`."""
        self.retry_at = now + RETRY_S if slots < wanted else now
        self.is_contested = slots < wanted
        if slots != self.held:
            self.held = slots
            self.user.set_slots(slots)


class SlotBook:
    """The slots of all institutions in one gateway. `on_wait` is called when a call waits for a slot."""

    def __init__(self, on_wait: Callable[[], None]) -> None:
        self._on_wait = on_wait
        self._institutions: dict[str, InstitutionSlots] = {}
        self._short: set[str] = set()
        self._returned: list[InstitutionSlots] = []
        self._contested: set[str] = set()
        self._renewed_at = self._contested_at = float("-inf")

    @property
    def interval_s(self) -> float:
        """Longest time until `build_requests` is to be called again."""
        return CONTESTED_S if self._contested else RENEW_S

    def replace(self, users: Iterable[tuple[str, int, SlotUser]]) -> None:
        """Replaces the institutions: org_code, `concurrency` and user of each. Kept users keep their slots."""
        former, self._institutions = self._institutions, {}
        for org_code, concurrency, user in users:
            known = former.get(org_code)
            if known is None or known.user.pool is not user.pool:
                known = InstitutionSlots(org_code, concurrency, user)
                user.share_slots(partial(self._note_short, known))
            self._institutions[org_code] = known
        self._returned += [slots for code, slots in former.items() if slots.held and code not in self._institutions]

    def _note_short(self, slots: InstitutionSlots) -> None:
        """Asks for more slots, unless all are held here: then calls wait for each other."""
        if slots.held < slots.concurrency:
            self._short.add(slots.org_code)
            self._on_wait()

    def build_requests(self, now: float) -> list[tuple[InstitutionSlots, SlotRequest]]:
        """Returns what to ask the store now: for institutions short of slots, regularly for all in use.

        The slots of removed institutions are returned.
        """
        returned = [slots for slots in self._returned if slots.org_code not in self._institutions]
        self._returned = []
        if now - self._renewed_at >= RENEW_S:
            self._renewed_at = self._contested_at = now
            self._contested &= self._institutions.keys()
            wanting = list(self._institutions.values())
        else:
            short = {code for code in self._short & self._institutions.keys() if self._may_retry(code, now)}
            if now - self._contested_at >= CONTESTED_S:
                self._contested_at = now
                short |= self._contested & self._institutions.keys()
            wanting = [self._institutions[code] for code in short]
        self._short.clear()
        pairs = ((slots, slots.build_request(now)) for slots in wanting)
        requests = [(slots, request) for slots, request in pairs if request is not None]
        return requests + [(slots, slots.build_return()) for slots in returned]

    def _may_retry(self, org_code: str, now: float) -> bool:
        return now >= self._institutions[org_code].retry_at

    def receive(
        self, requests: Iterable[tuple[InstitutionSlots, SlotRequest]], given: Iterable[int], now: float
    ) -> None:
        """Takes the slots that the store gave."""
        for (slots, request), number in zip(requests, given, strict=True):
            slots.receive(number, request.wanted, now)
            if slots.is_contested:
                self._contested.add(slots.org_code)
            else:
                self._contested.discard(slots.org_code)

    def count_alone(self, gateways: int) -> None:
        """Gives each institution this gateway's part of its slots: the store is unavailable."""
        self._contested.clear()
        for slots in self._institutions.values():
            part = max(1, slots.concurrency // gateways)
            slots.receive(part, part, 0.0)

    def build_return(self) -> list[SlotRequest]:
        """Returns what gives all slots back: this gateway ends."""
        return [slots.build_return() for slots in self._institutions.values() if slots.held]
