import gc
import weakref

import pytest

from relay.domain.fault import Refusal
from relay.domain.party import Peer
from relay.gateway.connection_registry import ConnectionRegistry

ONE, TWO, UNKNOWN = Peer("9998101001", "192.0.2.1"), Peer("9998101002", "192.0.2.1"), Peer("1", "192.0.2.1")


class Serial(str):
    """A SERIALNUMBER that a test can refer to weakly."""

    __slots__ = ("__weakref__",)


class Caller:
    """The part of a connection that the registry uses."""

    info = None

    def __init__(self, peer, source=None):
        self.peer = peer
        self.source = source
        self.will_close = self.has_served = False
        self.closed = 0
        self.deadline = 0.0
        self.first_call_s = 0.0

    def limit_to_one_call(self, wait_s):
        self.first_call_s = wait_s

    def close_when_idle(self):
        self.closed += 1


@pytest.fixture
def registry(clock):
    return ConnectionRegistry(lambda connection: connection.peer, 4, 2, clock)


def connect(registry, peer):
    connection = Caller(peer)
    registry.add(connection)
    return connection


def recognise_refused(registry, plan, connection):
    with pytest.raises(Refusal) as refusal:
        registry.recognise(plan, connection.info)
    return refusal.value.fault.name


def test_a_known_peer_is_stored_with_its_plan(registry, plan):
    info = connect(registry, ONE).info
    registry.recognise(plan, info)
    assert (info.operator, len(info.callers), info.plan is plan) == ("ZOPA000001", 1, True)


def test_two_operators_with_one_certificate_are_both_callers(registry, replan):
    info = connect(registry, ONE).info
    registry.recognise(replan(("ZOPA000001", "999-81-01001"), ("ZOPA000002", "99981-01001")), info)
    assert (info.operator, len(info.callers)) == ("", 2)


def test_an_unknown_peer_is_refused_with_each_call(registry, plan):
    connection = connect(registry, UNKNOWN)
    assert [recognise_refused(registry, plan, connection) for _ in range(2)] == ["serial_unknown"] * 2
    assert connection.info.plan is None


def test_a_removed_operator_is_refused_under_the_new_plan(registry, plan, replan):
    connection = connect(registry, ONE)
    registry.recognise(plan, connection.info)
    assert recognise_refused(registry, replan(("ZOPA000002", "999-81-01002")), connection) == "serial_unknown"


def test_a_connection_beyond_the_limit_of_its_operator_is_refused(registry, plan):
    first = [connect(registry, ONE) for _ in range(3)]
    assert recognise_refused(registry, plan, first[2]) == "connections_exceeded"
    registry.recognise(plan, first[0].info)
    registry.recognise(plan, connect(registry, TWO).info)
    for connection in first:
        registry.remove(connection)
    registry.recognise(plan, connect(registry, ONE).info)


def test_a_connection_beyond_the_total_limit_is_refused(registry, plan):
    for peer in (ONE, ONE, TWO, TWO):
        registry.recognise(plan, connect(registry, peer).info)
    assert connect(registry, UNKNOWN).info.is_excess


def test_refused_connections_do_not_count_in_the_total_limit(registry, plan):
    connections = [connect(registry, ONE) for _ in range(9)]
    assert [connection.info.is_excess for connection in connections] == [False] * 2 + [True] * 7
    assert not any(connect(registry, TWO).info.is_excess for _ in range(2))
    for connection in connections:
        registry.remove(connection)
    assert [connect(registry, ONE).info.is_excess for _ in range(3)] == [False, False, True]


def test_a_connection_beyond_its_limit_may_send_one_call(registry):
    first, second, beyond = (connect(registry, ONE) for _ in range(3))
    assert (first.first_call_s, second.first_call_s, beyond.first_call_s) == (0.0, 0.0, 0.5)
    assert registry.rejected == {"connections_exceeded": 1}
    registry.remove(first)
    assert not connect(registry, ONE).info.is_excess
    assert len(registry.connections) == 3


def test_removed_connections_leave_no_state(registry):
    held = weakref.WeakSet()

    def come_and_go():
        connections = [connect(registry, Peer(Serial(number), "192.0.2.1")) for number in range(100)]
        held.update(connection.peer.serial for connection in connections)
        for connection in connections:
            registry.remove(connection)

    come_and_go()
    gc.collect()
    assert (len(registry.connections), len(held)) == (0, 0)


def test_idle_connections_give_way_to_new_ones(registry):
    first, second = connect(registry, ONE), connect(registry, ONE)
    first.has_served = second.has_served = True
    second.source = "a call"
    assert not connect(registry, ONE).info.is_excess
    assert (first.closed, second.closed) == (1, 0)
    assert connect(registry, ONE).info.is_excess
    registry.remove(first)
    assert connect(registry, ONE).info.is_excess


def test_no_idle_connection_is_closed_for_a_refused_one(registry):
    idle = [connect(registry, ONE) for _ in range(2)] + [connect(registry, TWO) for _ in range(2)]
    third = Peer("9998101003", "192.0.2.1")
    idle[0].has_served = True
    assert connect(registry, third).info.is_excess
    assert not connect(registry, ONE).info.is_excess  # takes the place of its own idle connection
    assert [each.closed for each in idle] == [1, 0, 0, 0]


def test_the_connection_that_was_idle_for_longest_gives_way(registry):
    first, second = connect(registry, ONE), connect(registry, ONE)
    first.has_served = second.has_served = True
    first.deadline = 1.0
    assert not connect(registry, ONE).info.is_excess
    assert (first.closed, second.closed) == (0, 1)


def test_connections_without_certificate_are_counted_by_address(registry):
    infos = [connect(registry, Peer(None, address)).info for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2")]
    infos.append(connect(registry, Peer(None, "192.0.2.1")).info)
    assert [info.is_excess for info in infos] == [False, False, False, True]


def test_only_connections_of_removed_operators_are_closed(registry, plan, replan):
    removed, known, unused = (connect(registry, peer) for peer in (ONE, TWO, UNKNOWN))
    for connection in (removed, known):
        registry.recognise(plan, connection.info)
    registry.close_unknown(replan(("ZOPA000002", "999-81-01002")))
    assert [connection.closed for connection in (removed, known, unused)] == [1, 0, 0]


def test_a_connection_from_an_unregistered_address_is_closed(registry, plan, replan):
    connection = connect(registry, ONE)
    registry.recognise(plan, connection.info)
    connection.info.peer = Peer(ONE.serial, "192.0.2.77")
    registry.close_unknown(replan(("ZOPA000001", "999-81-01001")))
    assert connection.closed == 1


def test_a_connection_without_a_call_is_refused_at_its_first_call(registry, plan):
    connection = connect(registry, UNKNOWN)
    registry.close_unknown(plan)
    assert connection.closed == 0
    assert recognise_refused(registry, plan, connection) == "serial_unknown"


def test_log_lines_are_limited_to_one_a_second_and_counted(registry, clock, caplog):
    connection = connect(registry, ONE)
    for _ in range(50):
        registry.log_malformed(connection, "head_malformed", clock.now)
    clock.now += 1
    registry.log_malformed(connection, "head_malformed", clock.now)
    reason = "malformed request: address=192.0.2.1 serial=9998101001 reason=head_malformed"
    assert caplog.messages == [f"{reason} count=1", f"{reason} count=50"]


def test_rejected_connections_are_counted_by_reason(registry, caplog):
    for _ in range(3):
        registry.log_rejected("192.0.2.9", "no_certificate")
    registry.log_rejected("", "too_slow")
    assert registry.rejected == {"no_certificate": 3, "too_slow": 1}
    line = "connection rejected: address=192.0.2.9 reason=no_certificate count=1"
    assert caplog.messages == [line]


def test_a_reached_limit_of_open_files_is_named(registry, caplog):
    registry.log_rejected("", "no_descriptors")
    (line,) = caplog.messages
    assert line.startswith("limit of open files reached (EMFILE), new connections wait; raise it (systemd LimitNOFILE=")
    assert line.endswith("address=- reason=no_descriptors count=1")


def test_floods_of_tls_records_are_counted_and_logged_once_a_second(registry, clock, caplog):
    for _ in range(3):
        registry.log_flood(ONE, clock.now)
    assert registry.rejected == {"tls_records_exceeded": 3}
    line = "connection cut: address=192.0.2.1 serial=9998101001 reason=tls_records_exceeded count=1"
    assert caplog.messages == [line]


def test_connections_without_a_call_close_with_their_next_response(registry):
    busy = Caller(ONE, source=object())
    callers = [busy, Caller(ONE), Caller(TWO)]
    for caller in callers:
        registry.add(caller)
    registry.close_with_next_responses(1)
    assert [sum(caller.will_close for caller in callers), busy.will_close] == [1, False]
    registry.close_with_next_responses(5)
    assert [caller.will_close for caller in callers] == [False, True, True]
    assert [caller.closed for caller in callers] == [0, 0, 0]
