import pytest

from relay.domain.fault import FAULTS, Refusal
from relay.infra.authority.upstream import AuthorityPool
from relay.policy.settings.scalars import ProviderTimeouts
from relay.wire.watch import Watch

A, B = "operator-a", "operator-b"
SILENT = FAULTS["provider_silent"]


class UpstreamRequest:
    """A request on its way; the test lets it land."""

    def __init__(self, request, receiver):
        self.request, self.receiver, self.reading = request, receiver, True
        self.attempts, self.first_byte_at, self.is_reused = 1, 7.0, True

    def pause(self):
        self.reading = False

    def resume(self):
        self.reading = True

    def cancel(self):
        raise AssertionError("a call on its way is never cancelled")


class Pool:
    """A pool that sends everything."""

    timeouts = ProviderTimeouts(first_byte_s=15, total_s=15)

    def __init__(self):
        self.loop, self.now, self.flights, self.retired = self, 100.0, [], False

    def time(self):
        return self.now

    def counts(self):
        return {"idle": 3, "flying": 0, "waiting": 0}

    def send(self, request, receiver):
        self.flights.append(UpstreamRequest(request, receiver))
        return self.flights[-1]

    def retire(self):
        self.retired = True

    @property
    def sent(self):
        return [flight.request for flight in self.flights]

    def land(self, request, body=b"{}"):
        flight = next(flight for flight in self.flights if flight.request == request)
        return flight.receiver.response_received(200, {}, body)


class ResponseReceiver:
    def __init__(self):
        self.events, self.good = [], True

    def response_received(self, status, _headers, body):
        self.events.append((status, body))
        return self.good

    def head_received(self, *_told):
        self.events.append("begun")

    def body_received(self, _body):
        self.events.append("more")

    def response_ended(self):
        self.events.append("ended")

    def request_failed(self, fault, detail):
        assert detail
        self.events.append(fault.name)


class Around:
    def __init__(self, concurrency, queue):
        self.pool, self.watch = Pool(), Watch()
        self.authority = AuthorityPool(self.pool, concurrency, queue, self.watch)

    def send(self, name, operator=A, kind="refresh_token"):
        receiver = ResponseReceiver()
        return self.authority.send(name, receiver, operator, kind), receiver

    @property
    def counts(self):
        counts = self.authority.counts()
        return counts["flying"], counts["waiting"], len(self.watch)


@pytest.fixture
def one():
    """One slot, two places behind it."""
    return Around(1, 2)


def test_an_answer_frees_the_slot_for_the_next(one):
    (call, first), (_, second) = one.send("first"), one.send("second", B)
    assert (one.pool.sent, one.counts) == (["first"], (1, 1, 2))
    assert one.pool.land("first", b"1")
    assert (call.attempts, call.first_byte_at, call.is_reused) == (1, 7.0, True)
    assert one.pool.sent == ["first", "second"]
    one.pool.land("second", b"2")
    assert (first.events, second.events) == ([(200, b"1")], [(200, b"2")])
    assert (one.counts, one.authority.counts()["idle"]) == ((0, 0, 0), 3)


def test_an_answer_that_is_none_is_told_to_the_pool(one):
    _, receiver = one.send("first")
    receiver.good = False
    assert not one.pool.land("first")


def test_a_caller_that_hangs_up_keeps_its_slot_until_the_call_has_ended(one):
    call, receiver = one.send("first")
    _, second = one.send("second", B)
    call.pause()
    call.cancel()
    assert (one.pool.sent, one.counts, one.pool.flights[0].reading) == (["first"], (1, 1, 2), True)
    assert one.pool.land("first")
    assert (receiver.events, one.pool.sent) == ([], ["first", "second"])
    one.pool.flights[1].receiver.request_failed(FAULTS["provider_reset"], "reset")
    assert (second.events, one.counts) == (["provider_reset"], (0, 0, 0))


def test_a_caller_that_hangs_up_while_it_waits_was_never_sent(one):
    one.send("first")
    call, receiver = one.send("second", B)
    call.cancel()
    one.pool.land("first")
    assert (one.pool.sent, receiver.events, one.counts) == (["first"], [], (0, 0, 0))
    assert (call.attempts, call.first_byte_at, call.is_reused) == (0, 0.0, False)


def test_one_that_waits_too_long_is_told_and_never_sent(one):
    one.send("first")
    _, receiver = one.send("second", B)
    one.watch.tick(114.9)
    assert receiver.events == []
    one.watch.tick(115)
    assert (receiver.events, one.counts) == (["provider_silent"], (1, 0, 0))
    one.pool.land("first")
    assert (one.pool.sent, one.counts) == (["first"], (0, 0, 0))


def test_one_on_its_way_too_long_is_told_and_keeps_its_slot(one):
    _, receiver = one.send("first")
    one.watch.tick(115)
    assert (receiver.events, one.counts) == (["provider_silent"], (1, 0, 0))
    one.pool.flights[0].receiver.request_failed(SILENT, "timeout")
    assert (receiver.events, one.counts) == (["provider_silent"], (0, 0, 0))


def test_a_large_answer_passes_in_parts(one):
    _, receiver = one.send("first")
    way = one.pool.flights[0].receiver
    way.head_received(200, {}, 5, b"1")
    way.body_received(b"2")
    assert one.counts[0] == 1
    way.response_ended()
    assert (receiver.events, one.counts) == (["begun", "more", "ended"], (0, 0, 0))


def test_a_large_answer_without_a_reader_is_read_to_its_end(one):
    call, receiver = one.send("first")
    way = one.pool.flights[0].receiver
    way.head_received(200, {}, 5, b"1")
    call.cancel()
    way.body_received(b"2")
    way.response_ended()
    assert (receiver.events, one.counts) == (["begun"], (0, 0, 0))


def test_too_many_are_refused():
    around = Around(1, 0)
    around.send("first")
    with pytest.raises(Refusal) as refusal:
        around.send("second", B)
    assert refusal.value.fault is FAULTS["provider_busy"]
    assert around.counts == (1, 0, 1)


def test_calls_at_a_silent_certifier_leave_a_refresh_of_another_alone():
    around = Around(128, 512)
    for number in range(200):
        call, _ = around.send(number, A, "password")
        call.cancel()  # hanging up makes no room
    _, refreshed = around.send("refresh", B)
    assert around.pool.land("refresh")
    assert (refreshed.events, around.counts[0]) == ([(200, b"{}")], 32)


def test_retiring_is_the_pools(one):
    one.authority.retire()
    assert one.pool.retired
