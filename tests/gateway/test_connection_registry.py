import pytest

from relay.domain.fault import Refusal
from relay.domain.party import Peer
from relay.gateway.connection_registry import Welcome

ONE, TWO, NOBODY = Peer("9998101001", "192.0.2.1"), Peer("9998101002", "192.0.2.1"), Peer("1", "192.0.2.1")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Caller:
    """A connection, as far as the welcome looks at it."""

    card = None

    def __init__(self, peer):
        self.peer = peer
        self.closed = 0
        self.hurried = 0.0

    def limit_to_one_call(self, wait_s):
        self.hurried = wait_s

    def close_when_idle(self):
        self.closed += 1


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def welcome(clock):
    return Welcome(lambda connection: connection.peer, 4, 2, clock)


def greeted(welcome, peer):
    connection = Caller(peer)
    welcome.add(connection)
    return connection


def refused(welcome, plan, connection):
    with pytest.raises(Refusal) as refusal:
        welcome.recognise(plan, connection.card)
    return refusal.value.fault.name


def test_who_is_known_is_noted_with_the_plan_that_knows_him(welcome, plan):
    card = greeted(welcome, ONE).card
    welcome.recognise(plan, card)
    assert (card.operator, len(card.callers), card.plan is plan) == ("ZOPA000001", 1, True)


def test_two_behind_one_certificate_are_told_apart_later(welcome, replan):
    card = greeted(welcome, ONE).card
    welcome.recognise(replan(("ZOPA000001", "999-81-01001"), ("ZOPA000002", "99981-01001")), card)
    assert (card.operator, len(card.callers)) == ("", 2)


def test_who_is_unknown_is_asked_again_with_each_call(welcome, plan):
    connection = greeted(welcome, NOBODY)
    assert [refused(welcome, plan, connection) for _ in range(2)] == ["serial_unknown"] * 2
    assert connection.card.plan is None


def test_who_left_the_directory_is_refused_under_the_new_plan(welcome, plan, replan):
    connection = greeted(welcome, ONE)
    welcome.recognise(plan, connection.card)
    assert refused(welcome, replan(("ZOPA000002", "999-81-01002")), connection) == "serial_unknown"


def test_a_connection_too_many_is_refused_and_another_operators_is_not(welcome, plan):
    first = [greeted(welcome, ONE) for _ in range(3)]
    assert refused(welcome, plan, first[2]) == "connections_exceeded"
    welcome.recognise(plan, first[0].card)
    welcome.recognise(plan, greeted(welcome, TWO).card)
    for connection in first:
        welcome.remove(connection)
    welcome.recognise(plan, greeted(welcome, ONE).card)


def test_a_connection_beyond_all_room_is_refused(welcome, plan):
    for peer in (ONE, ONE, TWO, TWO):
        welcome.recognise(plan, greeted(welcome, peer).card)
    assert greeted(welcome, NOBODY).card.excess


def test_connections_beyond_an_operators_cap_take_no_seat_of_others(welcome, plan):
    mine = [greeted(welcome, ONE) for _ in range(9)]
    assert [connection.card.excess for connection in mine] == [False] * 2 + [True] * 7
    assert not any(greeted(welcome, TWO).card.excess for _ in range(2))
    for connection in mine:
        welcome.remove(connection)
    assert [greeted(welcome, ONE).card.excess for _ in range(3)] == [False, False, True]


def test_a_connection_beyond_the_cap_counts_nowhere_and_is_hurried(welcome):
    first, second, beyond = (greeted(welcome, ONE) for _ in range(3))
    assert (first.hurried, second.hurried, beyond.hurried) == (0.0, 0.0, 0.5)
    assert welcome.rejected == {"connections_exceeded": 1}
    welcome.remove(first)
    assert not greeted(welcome, ONE).card.excess
    assert len(welcome.connections) == 3


def test_nothing_is_kept_of_who_has_gone(welcome):
    for connection in [greeted(welcome, Peer(str(number), "192.0.2.1")) for number in range(100)]:
        welcome.remove(connection)
    assert (len(welcome.connections), len(welcome._each)) == (0, 0)


def test_without_certificates_the_address_is_counted(welcome):
    cards = [greeted(welcome, Peer(None, address)).card for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2")]
    cards.append(greeted(welcome, Peer(None, "192.0.2.1")).card)
    assert [card.excess for card in cards] == [False, False, False, True]


def test_who_left_the_directory_is_dismissed_and_nobody_else(welcome, plan, replan):
    gone, stays, silent = (greeted(welcome, peer) for peer in (ONE, TWO, NOBODY))
    for connection in (gone, stays):
        welcome.recognise(plan, connection.card)
    welcome.dismiss(replan(("ZOPA000002", "999-81-01002")))
    assert [connection.closed for connection in (gone, stays, silent)] == [1, 0, 0]


def test_who_calls_from_an_address_no_longer_registered_is_dismissed(welcome, plan, replan):
    connection = greeted(welcome, ONE)
    welcome.recognise(plan, connection.card)
    connection.card.peer = Peer(ONE.serial, "192.0.2.77")
    welcome.dismiss(replan(("ZOPA000001", "999-81-01001")))
    assert connection.closed == 1


def test_who_said_nothing_yet_is_told_at_its_first_call(welcome, plan):
    connection = greeted(welcome, NOBODY)
    welcome.dismiss(plan)
    assert connection.closed == 0
    assert refused(welcome, plan, connection) == "serial_unknown"


def test_complaints_are_one_line_a_second_and_none_is_forgotten(welcome, clock, caplog):
    connection = greeted(welcome, ONE)
    for _ in range(50):
        welcome.log_malformed(connection, "head_malformed", clock.now)
    clock.now += 1
    welcome.log_malformed(connection, "head_malformed", clock.now)
    assert len(caplog.messages) == 2
    assert "9998101001" in caplog.messages[0]
    assert caplog.messages[1].endswith("49 more since the last line")


def test_who_does_not_get_in_is_counted_by_reason(welcome, caplog):
    for _ in range(3):
        welcome.turned_away("192.0.2.9", "no_certificate")
    welcome.turned_away("", "too_slow")
    assert welcome.rejected == {"no_certificate": 3, "too_slow": 1}
    assert len(caplog.messages) == 1


def test_floods_of_tls_records_are_counted_and_logged_once_a_second(welcome, clock, caplog):
    for _ in range(3):
        welcome.log_flood(ONE, clock.now)
    assert welcome.rejected == {"tls_records_exceeded": 3}
    cut = "connection cut: address=192.0.2.1 serial=9998101001 reason=tls_records_exceeded; 0 more since the last line"
    assert caplog.messages == [cut]
