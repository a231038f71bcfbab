"""Decides which address of an institution gets the next call: dead ones are ejected, and come back step by step."""

from collections.abc import Collection, Sequence
from typing import Final

WINDOW_S: Final = 10.0
"""Failures and successes of so long are counted. Failures without a success between them stay counted."""

MOST_FAILURES: Final = 5
"""So many calls without a response eject an address, if they are at least a half of its calls."""

SLOW_CONNECT_S: Final = 0.5
"""A connection that takes longer counts as a failure, if another address connects in a tenth of the time."""

PROBE_S: Final = 1.0
"""Time between two probes of an ejected address."""

MOST_HELD_S: Final = 30.0
"""An address that fails again and again is probed after 1, 2, 4 s, at last after so long."""

RAMP_S: Final = 10.0
"""So long after its return an address gets fewer calls than the others; at first one of ten."""

TRIAL_S: Final = 5.0
"""Time between two calls to an address that was silent, until it responds."""

_FIRST_PART: Final = 0.1
_CALM_S: Final = 60.0


class _Address:
    """What is known of one address."""

    __slots__ = ("connect_s", "credit", "ejected_at", "ejections", "failures", "is_ejected", "is_on_trial", "probe_at",
                 "returned_at", "since", "successes", "trial_at")  # fmt: skip

    def __init__(self) -> None:
        self.connect_s = 0.0
        self.failures = self.successes = self.ejections = 0
        self.since = 0.0
        self.is_ejected = False
        self.is_on_trial = False  # it was ejected since it did not respond, and has not responded yet
        self.trial_at = 0.0
        self.ejected_at = self.returned_at = float("-inf")
        self.probe_at = 0.0
        self.credit = 0.0

    def count(self, now: float, *, failed: bool) -> None:
        """Counts a call in the current window. Failures in a row stay counted, however few calls there are."""
        if now - self.since > WINDOW_S and (self.successes or not self.failures):
            self.failures = self.successes = 0
            self.since = now
        self.failures += failed
        self.successes += not failed


class Addresses:
    """The addresses of one institution, by index. `are_equal` while all get calls in turn: then `choose` is not needed.

    The last address that is left is never ejected.
    """

    def __init__(self, count: int) -> None:
        self._addresses = [_Address() for _ in range(count)]
        self.are_equal = True
        self.has_failures = False
        """Whether successes must be recorded."""

    def list_ejected(self) -> Sequence[int]:
        """Returns the ejected addresses."""
        return [index for index, each in enumerate(self._addresses) if each.is_ejected]

    def choose(self, last: int, now: float, tried: Collection[int] = ()) -> int:
        """Returns the address after `last` that gets the next call. `tried` ones are left out, unless it is all.

        Ejected ones come last. One that has returned is left out for a part of the calls.
        """
        order = [(last + step) % len(self._addresses) for step in range(1, len(self._addresses) + 1)]
        order = [index for index in order if index not in tried] or order
        usable = [index for index in order if not self._addresses[index].is_ejected] or order
        chosen = next((index for index in usable if self._is_turn(self._addresses[index], now)), usable[0])
        self._check_equality(now)
        return chosen

    def is_ejected(self, index: int) -> bool:
        """Returns whether an address is ejected."""
        return self._addresses[index].is_ejected

    def record_connect(self, index: int, seconds: float, now: float) -> bool:
        """Records the time of a connection. Returns whether the address is ejected, since others are far faster."""
        address = self._addresses[index]
        address.connect_s = seconds
        others = [each.connect_s for each in self._addresses if each is not address and each.connect_s]
        if seconds < SLOW_CONNECT_S or not others or min(others) * 10 > seconds:
            return False
        return self.record_failure(index, now)

    def record_connect_failure(self, index: int, now: float) -> bool:
        """Ejects an address to which no connection could be opened. Returns whether it is ejected now."""
        return self._eject(index, now, PROBE_S)

    def record_failure(self, index: int, now: float) -> bool:
        """Counts a call that got no response. Returns whether the address is ejected now.

        One failure is enough for an address that has not responded since its last ejection: a probe only connects.
        """
        address = self._addresses[index]
        address.count(now, failed=True)
        self.has_failures = True
        is_dead = address.failures >= MOST_FAILURES and address.failures >= address.successes
        if not (is_dead or address.is_on_trial):
            return False
        is_ejected = self._eject(index, now, min(MOST_HELD_S, PROBE_S * 2 ** min(address.ejections, 5)))
        address.is_on_trial |= is_ejected
        return is_ejected

    def record_success(self, index: int, now: float) -> None:
        """Counts a response."""
        address = self._addresses[index]
        address.count(now, failed=False)
        if address.is_on_trial:
            address.is_on_trial, address.returned_at = False, now
        self.has_failures = any(each.failures or each.is_on_trial for each in self._addresses)

    def _eject(self, index: int, now: float, held_s: float) -> bool:
        address = self._addresses[index]
        others = (each for each in self._addresses if each is not address)
        if address.is_ejected or all(each.is_ejected for each in others):
            return False
        is_repeated = address.is_on_trial or now - address.returned_at < _CALM_S
        address.ejections = address.ejections + 1 if is_repeated else 1
        address.is_ejected, address.ejected_at, address.probe_at = True, now, now + held_s
        address.failures = address.successes = 0
        self.are_equal = False
        return True

    def list_due(self, now: float) -> Sequence[int]:
        """Returns the ejected addresses to probe now. Each is due again PROBE_S later."""
        due = [index for index in self.list_ejected() if now >= self._addresses[index].probe_at]
        for index in due:
            self._addresses[index].probe_at = now + PROBE_S
        return due

    def restore(self, index: int, now: float) -> None:
        """Uses an address again that accepted a connection, at first for a tenth of its calls.

        One that did not respond gets a call each TRIAL_S until its first response: it may still be silent, and a call
        that gets no response is known only after its time limit.
        """
        address = self._addresses[index]
        if address.is_ejected:
            address.is_ejected, address.returned_at, address.credit, address.trial_at = False, now, 0.0, now

    def _is_turn(self, address: _Address, now: float) -> bool:
        if address.is_on_trial:
            is_due = now >= address.trial_at
            if is_due:
                address.trial_at = now + TRIAL_S
            return is_due
        part = min(1.0, _FIRST_PART + (now - address.returned_at) / RAMP_S)
        address.credit += part
        if address.credit < 1.0:
            return False
        address.credit -= 1.0
        return True

    def _check_equality(self, now: float) -> None:
        self.are_equal = not any(
            each.is_ejected or each.is_on_trial or now - each.returned_at < RAMP_S for each in self._addresses
        )
