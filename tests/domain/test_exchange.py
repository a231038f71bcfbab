"""The record of one call: its times, and what it can never hold."""

import pytest

from relay.domain.exchange import Exchange

NEVER_HELD = ("token", "ci", "body", "account", "asset", "authorization", "path", "query", "header", "secret")


@pytest.fixture
def exchange():
    return Exchange(started=100.0, received=1_800_000_000.0)


def test_a_new_exchange_knows_when_it_began_and_nothing_else(exchange):
    assert (exchange.started, exchange.received) == (100.0, 1_800_000_000.0)
    known = {"started", "received", "repeated"}
    assert {getattr(exchange, name) for name in Exchange.__slots__ if name not in known} <= {0, ""}
    assert exchange.repeated == 1


def test_the_total_runs_from_the_request_to_the_answers_end(exchange):
    exchange.close(100.75)
    assert exchange.ended == 100.75
    assert exchange.total == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("asked", "provider_ended", "ended", "seconds"),
    [
        (0.0, 0.0, 100.5, 0.0),  # refused before the provider was asked
        (100.25, 100.5, 100.75, 0.25),
        (100.25, 0.0, 100.75, 0.5),  # the provider never ended: all the time since is its time
    ],
)
def test_the_providers_time_begins_when_it_is_asked(exchange, asked, provider_ended, ended, seconds):
    exchange.asked, exchange.provider_ended = asked, provider_ended
    exchange.close(ended)
    assert exchange.upstream == pytest.approx(seconds)


def test_nothing_can_be_hung_onto_an_exchange(exchange):
    with pytest.raises(AttributeError):
        exchange.body = b"{}"


def test_no_place_of_an_exchange_is_named_for_what_must_not_be_kept():
    places = [part for name in Exchange.__slots__ for part in name.split("_")]
    assert not set(places) & set(NEVER_HELD)
