"""Slots of institutions: shared by gateways, never more in use than there are, divided when all want more."""

import random

import pytest
from leasing.store import KEPT_S, SimulatedStore

from relay.policy.quota.slots import CONTESTED_S, PEAK_S, RENEW_S, RETRY_S, SlotBook, SlotRequest


class User:
    """Calls at one institution: `in_flight` of at most `slots`, others wait."""

    def __init__(self):
        self.pool = self
        self.slots, self.in_flight, self.waiting = 0, 0, 0
        self.on_wait = None

    def count_calls(self):
        return self.in_flight, self.waiting

    def share_slots(self, on_wait):
        self.on_wait, self.slots = on_wait, 0

    def set_slots(self, slots):
        self.slots = slots
        self._start()

    def call(self, times=1):
        self.waiting += times
        self._start()
        if self.waiting:
            self.on_wait()

    def end(self, times=1):
        self.in_flight -= times
        self._start()

    def _start(self):
        started = max(0, min(self.waiting, self.slots - self.in_flight))
        self.in_flight += started
        self.waiting -= started


class Gateway:
    """One gateway with one institution."""

    def __init__(self, name, store, concurrency):
        self.name, self.store = name, store
        self.user, self.waits = User(), 0
        self.book = SlotBook(self._note_wait)
        self.book.replace([("bank", concurrency, self.user)])

    def _note_wait(self):
        self.waits += 1

    def ask(self, now):
        """Asks the store as `SharedQuotaCounters` does. Returns the number of requests."""
        requests = self.book.build_requests(now)
        _, given = self.store.lease(self.name, [request for _, request in requests], now)
        self.book.receive(requests, given, now)
        return len(requests)


@pytest.fixture
def make_gateways():
    def make(concurrency, names="ab"):
        store = SimulatedStore()
        return [Gateway(name, store, concurrency) for name in names]

    return make


def test_the_first_call_waits_for_a_slot_and_asks_at_once(make_gateways):
    (gateway,) = make_gateways(5, "a")
    gateway.ask(0.0)
    gateway.user.call()
    assert (gateway.user.in_flight, gateway.waits) == (0, 1)
    gateway.ask(0.001)
    assert (gateway.user.in_flight, gateway.user.slots) == (1, 2)


def test_an_unused_institution_is_not_asked_for(make_gateways):
    (gateway,) = make_gateways(5, "a")
    assert gateway.ask(0.0) == 0


def test_one_gateway_alone_may_use_all_slots(make_gateways):
    one, other = make_gateways(5)
    other.ask(0.0)
    one.user.call(8)
    one.ask(0.0)
    assert (one.user.in_flight, one.user.waiting) == (5, 3)


def test_slots_in_use_elsewhere_are_not_given(make_gateways):
    one, other = make_gateways(5)
    one.user.call(4)
    one.ask(0.0)
    other.user.call(3)
    other.ask(0.01)
    assert (one.user.slots, other.user.in_flight) == (5, 0)
    one.ask(RENEW_S)
    assert one.user.slots in (2, 3)
    one.user.end(3)
    one.ask(2 * RENEW_S)
    other.ask(2 * RENEW_S)
    assert other.user.in_flight in (2, 3)


def test_gateways_that_want_more_have_equal_parts(make_gateways):
    one, other = make_gateways(6)
    for turn in range(4):
        for gateway in (one, other):
            gateway.user.call(10)
            gateway.ask(turn * RENEW_S)
            gateway.user.end(gateway.user.in_flight)
    assert (one.user.slots, other.user.slots) == (3, 3)


def test_slots_are_given_back_some_time_after_their_use(make_gateways):
    one, other = make_gateways(5)
    one.user.call(5)
    one.ask(0.0)
    one.user.end(5)
    one.ask(PEAK_S / 2)
    assert one.user.slots == 5
    one.ask(PEAK_S + 0.1)
    one.ask(PEAK_S + 0.3)
    assert (one.user.slots, one.ask(PEAK_S + 0.6)) == (0, 0)
    other.user.call(5)
    other.ask(PEAK_S + 0.7)
    assert other.user.in_flight == 5


def test_a_gateway_short_of_slots_does_not_ask_again_at_once(make_gateways):
    one, other = make_gateways(1)
    one.user.call()
    one.ask(0.0)
    other.user.call()
    assert other.ask(0.0) == 1
    other.user.call()
    assert other.ask(RETRY_S / 2) == 0
    other.user.call()
    assert other.ask(RETRY_S + 0.001) == 1


def test_a_killed_gateway_keeps_its_part_for_a_while(make_gateways):
    killed, other = make_gateways(6)
    killed.user.call(6)
    killed.ask(0.0)
    for now in (0.1, KEPT_S + 0.1, 31.0):
        other.user.call(6)
        other.ask(now)
        other.user.end(other.user.in_flight)
        other.user.waiting = 0
    assert [other.user.slots] == [6]


def test_a_gateway_that_ends_returns_its_slots(make_gateways):
    one, other = make_gateways(5)
    one.user.call(5)
    one.ask(0.0)
    assert one.book.build_return() == [SlotRequest("bank", 5, 0, 0)]
    one.store.lease("a", one.book.build_return(), 0.1)
    other.user.call(5)
    other.ask(0.1)
    assert other.user.in_flight == 5


@pytest.mark.parametrize(("concurrency", "gateways", "part"), [(5, 2, 2), (1, 3, 1), (64, 4, 16)])
def test_alone_a_gateway_has_its_part(make_gateways, concurrency, gateways, part):
    (gateway,) = make_gateways(concurrency, "a")
    gateway.book.count_alone(gateways)
    assert gateway.user.slots == part


def test_kept_users_keep_their_slots_when_institutions_change(make_gateways):
    (gateway,) = make_gateways(5, "a")
    gateway.user.call(2)
    gateway.ask(0.0)
    new = User()
    gateway.book.replace([("bank", 5, gateway.user), ("card", 3, new)])
    assert (gateway.user.slots, new.slots) == (3, 0)
    gateway.book.replace([("card", 3, new)])
    gateway.user.on_wait()
    assert [request.wanted for _, request in gateway.book.build_requests(0.1)] == [0]  # returned
    assert gateway.ask(0.1) == 0


def test_an_institution_that_comes_back_keeps_its_new_slots(make_gateways):
    (gateway,) = make_gateways(5, "a")
    gateway.user.call(2)
    gateway.ask(0.0)
    gateway.book.replace([])
    gateway.book.replace([("bank", 5, User())])  # before the store was asked, as in an outage
    assert [request.org_code for _, request in gateway.book.build_requests(1.0)] == []


def test_no_gateway_starves_when_slots_do_not_divide(make_gateways):
    gateways, served = make_gateways(2, "abc"), dict.fromkeys("abc", 0)
    for step in range(600):
        for gateway in gateways:
            gateway.user.call(3 - gateway.user.waiting)
            gateway.ask(step / 50)
            served[gateway.name] += gateway.user.in_flight
        assert sum(gateway.user.in_flight for gateway in gateways) <= 2
        for gateway in gateways:
            gateway.user.end(gateway.user.in_flight)
    assert min(served.values()) >= 0.2 * sum(served.values())


def test_contested_slots_are_asked_for_more_often(make_gateways):
    one, other = make_gateways(1)
    one.user.call()
    one.ask(0.0)
    assert one.book.interval_s == RENEW_S
    other.user.call()
    other.ask(0.0)
    assert (other.book.interval_s, other.ask(CONTESTED_S / 2), other.ask(CONTESTED_S)) == (CONTESTED_S, 0, 1)
    one.user.end()
    one.ask(PEAK_S + 0.1)
    other.ask(PEAK_S + 0.1)
    assert (other.user.in_flight, other.book.interval_s) == (1, RENEW_S)


def test_a_removed_institution_is_contested_no_more(make_gateways):
    one, other = make_gateways(1)
    one.user.call()
    one.ask(0.0)
    other.user.call()
    other.ask(0.0)
    other.book.replace([])
    other.ask(RENEW_S)
    assert other.book.interval_s == RENEW_S


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_one_contested_slot_is_in_use_most_of_the_time(make_gateways, names):
    """Each call takes 20 ms; each gateway always has calls that wait, and asks as often as its book says."""
    gateways, used, steps = make_gateways(1, names), 0, 1000
    asked_at = {gateway.name: float("-inf") for gateway in gateways}
    for step in range(steps):
        now = step / 100
        for gateway in gateways:
            if step % 2 == 0:
                gateway.user.end(gateway.user.in_flight)
            gateway.user.call(3 - gateway.user.waiting)
            if now - asked_at[gateway.name] >= gateway.book.interval_s:
                asked_at[gateway.name] = now
                gateway.ask(now)
        used += sum(gateway.user.in_flight for gateway in gateways)
    assert used > 0.9 * steps


@pytest.mark.parametrize("seed", range(8))
def test_no_more_calls_are_in_flight_than_slots_exist(make_gateways, seed):
    chance = random.Random(seed)
    concurrency = chance.choice((1, 2, 5, 16))
    gateways, served = make_gateways(concurrency, "abc"[: chance.choice((2, 3))]), 0
    for step in range(4000):
        now, gateway = step / 100, chance.choice(gateways)
        if gateway.user.in_flight and chance.random() < 0.5:
            gateway.user.end()
            served += 1
        elif gateway.user.waiting < 10:
            gateway.user.call(chance.choice((1, 1, 4)))
        for each in gateways:
            if chance.random() < 0.3:
                each.ask(now)
        assert sum(each.user.in_flight for each in gateways) <= concurrency
    assert served > 450
