import pytest

from relay.domain.fault import FAULTS, Refusal
from relay.infra.authority.upstream import AuthorityPool
from relay.wire.deadline_watch import DeadlineWatch

A, B = "operator-a", "operator-b"
SILENT = FAULTS["provider_silent"]


class UpstreamRequest:
    """A sent request, to which `Pool.respond` responds."""

    def __init__(self, write_request, receiver):
        self.write_request, self.receiver, self.reading = write_request, receiver, True
        self.attempts, self.first_byte_at, self.is_reused = 1, 7.0, True

    def pause(self):
        self.reading = False

    def resume(self):
        self.reading = True

    def cancel(self):
        raise AssertionError("a sent call is never cancelled")


class Pool:
    """A pool that sends everything."""

    total_s = 15.0

    def __init__(self):
        self.loop, self.now, self.requests, self.is_retired = self, 100.0, [], False

    def time(self):
        return self.now

    def counts(self):
        return {"idle": 3, "flying": 0, "waiting": 0}

    def send(self, write_request, receiver):
        self.requests.append(UpstreamRequest(write_request, receiver))
        return self.requests[-1]

    def retire(self):
        self.is_retired = True

    @property
    def sent(self):
        return [request.write_request for request in self.requests]

    def respond(self, name, body=b"{}"):
        request = next(request for request in self.requests if request.write_request == name)
        return request.receiver.response_received(200, {}, body)


class ResponseReceiver:
    def __init__(self):
        self.events, self.accepts = [], True

    def response_received(self, status, _headers, body):
        self.events.append((status, body))
        return self.accepts

    def head_received(self, *_args):
        self.events.append("head")

    def body_received(self, _body):
        self.events.append("body")

    def response_ended(self):
        self.events.append("ended")

    def request_failed(self, fault, detail):
        assert detail
        self.events.append(fault.name)


class Setup:
    def __init__(self, concurrency, queue):
        self.pool, self.watch = Pool(), DeadlineWatch()
        self.authority = AuthorityPool(self.pool, concurrency, queue, self.watch)

    def send(self, name, operator=A, kind="refresh_token"):
        receiver = ResponseReceiver()
        return self.authority.send(name, receiver, operator, kind), receiver

    @property
    def counts(self):
        counts = self.authority.counts()
        return counts["flying"], counts["waiting"], len(self.watch)


@pytest.fixture
def setup():
    """One slot and a queue of two."""
    return Setup(1, 2)


def test_a_response_frees_the_slot_for_the_next_call(setup):
    (call, first), (_, second) = setup.send("first"), setup.send("second", B)
    assert (setup.pool.sent, setup.counts) == (["first"], (1, 1, 2))
    assert setup.pool.respond("first", b"1")
    assert (call.attempts, call.first_byte_at, call.is_reused) == (1, 7.0, True)
    assert setup.pool.sent == ["first", "second"]
    setup.pool.respond("second", b"2")
    assert (first.events, second.events) == ([(200, b"1")], [(200, b"2")])
    assert (setup.counts, setup.authority.counts()["idle"]) == ((0, 0, 0), 3)


def test_a_refused_response_is_reported_to_the_pool(setup):
    _, receiver = setup.send("first")
    receiver.accepts = False
    assert not setup.pool.respond("first")


def test_a_cancelled_call_keeps_its_slot_until_it_has_ended(setup):
    call, receiver = setup.send("first")
    _, second = setup.send("second", B)
    call.pause()
    call.cancel()
    assert (setup.pool.sent, setup.counts, setup.pool.requests[0].reading) == (["first"], (1, 1, 2), True)
    assert setup.pool.respond("first")
    assert (receiver.events, setup.pool.sent) == ([], ["first", "second"])
    setup.pool.requests[1].receiver.request_failed(FAULTS["provider_reset"], "reset")
    assert (second.events, setup.counts) == (["provider_reset"], (0, 0, 0))


def test_a_call_cancelled_while_waiting_is_not_sent(setup):
    setup.send("first")
    call, receiver = setup.send("second", B)
    call.cancel()
    setup.pool.respond("first")
    assert (setup.pool.sent, receiver.events, setup.counts) == (["first"], [], (0, 0, 0))
    assert (call.attempts, call.first_byte_at, call.is_reused) == (0, 0.0, False)


def test_a_call_that_waits_too_long_fails_and_is_not_sent(setup):
    setup.send("first")
    _, receiver = setup.send("second", B)
    setup.watch.tick(114.9)
    assert receiver.events == []
    setup.watch.tick(115)
    assert (receiver.events, setup.counts) == (["provider_silent"], (1, 0, 0))
    setup.pool.respond("first")
    assert (setup.pool.sent, setup.counts) == (["first"], (0, 0, 0))


def test_a_sent_call_that_takes_too_long_fails_and_keeps_its_slot(setup):
    _, receiver = setup.send("first")
    setup.watch.tick(115)
    assert (receiver.events, setup.counts) == (["provider_silent"], (1, 0, 0))
    setup.pool.requests[0].receiver.request_failed(SILENT, "timeout")
    assert (receiver.events, setup.counts) == (["provider_silent"], (0, 0, 0))


def test_a_large_response_is_passed_on_in_parts(setup):
    _, receiver = setup.send("first")
    upstream = setup.pool.requests[0].receiver
    upstream.head_received(200, {}, 5, b"1")
    upstream.body_received(b"2")
    assert setup.counts[0] == 1
    upstream.response_ended()
    assert (receiver.events, setup.counts) == (["head", "body", "ended"], (0, 0, 0))


def test_a_large_response_of_a_cancelled_call_is_read_to_its_end(setup):
    call, receiver = setup.send("first")
    upstream = setup.pool.requests[0].receiver
    upstream.head_received(200, {}, 5, b"1")
    call.cancel()
    upstream.body_received(b"2")
    upstream.response_ended()
    assert (receiver.events, setup.counts) == (["head"], (0, 0, 0))


def test_calls_beyond_slots_and_queue_are_refused():
    setup = Setup(1, 0)
    setup.send("first")
    with pytest.raises(Refusal) as refusal:
        setup.send("second", B)
    assert refusal.value.fault is FAULTS["provider_busy"]
    assert setup.counts == (1, 0, 1)


def test_slow_password_calls_do_not_delay_a_refresh_of_another():
    setup = Setup(128, 512)
    for number in range(200):
        call, _ = setup.send(number, A, "password")
        call.cancel()  # cancelling frees no slot
    _, refreshed = setup.send("refresh", B)
    assert setup.pool.respond("refresh")
    assert (refreshed.events, setup.counts[0]) == ([(200, b"{}")], 32)


def test_retire_retires_the_pool(setup):
    setup.authority.retire()
    assert setup.pool.is_retired
