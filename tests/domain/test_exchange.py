"""The record of one call: its times, and data that it never holds."""

import pytest

from relay.domain.exchange import Exchange

FORBIDDEN = ("token", "ci", "body", "account", "asset", "authorization", "path", "query", "header", "secret")


def list_attributes(exchange):
    return [name for name in dir(exchange) if name[0] != "_" and not callable(getattr(exchange, name))]


@pytest.fixture
def exchange():
    return Exchange(started=100.0, received=1_800_000_000.0)


def test_a_new_exchange_has_only_its_start_times(exchange):
    assert (exchange.started, exchange.received) == (100.0, 1_800_000_000.0)
    initial = {"started", "received", "repeated"}
    assert {getattr(exchange, name) for name in list_attributes(exchange) if name not in initial} <= {0, ""}
    assert exchange.repeated == 1


def test_the_total_runs_from_the_request_to_the_responses_end(exchange):
    exchange.close(100.75)
    assert exchange.ended == 100.75
    assert exchange.total == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("started", "provider_ended", "ended", "seconds"),
    [
        (0.0, 0.0, 100.5, 0.0),  # refused without a request to the institution
        (100.25, 100.5, 100.75, 0.25),
        (100.25, 0.0, 100.75, 0.5),  # the institution never finished: it took all the time
    ],
)
def test_the_upstream_time_begins_with_the_request(exchange, started, provider_ended, ended, seconds):
    exchange.provider_started, exchange.provider_ended = started, provider_ended
    exchange.close(ended)
    assert exchange.upstream == pytest.approx(seconds)


def test_an_exchange_accepts_no_other_attributes(exchange):
    with pytest.raises(AttributeError):
        exchange.body = b"{}"


def test_no_attribute_is_for_personal_or_secret_data(exchange):
    words = [part for name in list_attributes(exchange) for part in name.split("_")]
    assert "tran" in words
    assert not set(words) & set(FORBIDDEN)
