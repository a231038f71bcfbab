"""Outages of institutions and the authority, logged from completed exchanges."""

import pytest

from relay.domain.exchange import Exchange
from relay.infra.diagnostics.exchange_outages import ExchangeOutages

BANK, CARD = "ZBAA000001", "ZCDA000001"


def build_exchange(provider=BANK, industry="bank", **fields):
    exchange = Exchange(0.0, 0.0)
    exchange.provider, exchange.industry = provider, industry
    for name, value in fields.items():
        setattr(exchange, name, value)
    return exchange


REFUSED = {"reason": "connect_refused", "detail": "tls_expired"}
GOOD = {"provider_status": 200}


@pytest.fixture
def outages(clock):
    return ExchangeOutages(clock)


def lines(caplog):
    return [record.getMessage() for record in caplog.records]


def test_an_institution_that_fails_is_logged_with_its_cause(outages, clock, caplog):
    outages.record([build_exchange(**REFUSED)] * 40)
    clock.now += 7
    outages.record([build_exchange(**GOOD), build_exchange(**GOOD)])
    assert lines(caplog) == [
        f"institution unavailable: org_code={BANK} cause=connect_refused detail=tls_expired failures=1",
        f"institution available again: org_code={BANK} after_s=7.0 failures=40",
    ]


def test_a_response_of_another_institution_ends_no_outage(outages, caplog):
    outages.record([build_exchange(**REFUSED), build_exchange(CARD, "card", **GOOD)])
    assert len(lines(caplog)) == 1


@pytest.mark.parametrize(
    "fields",
    [GOOD, {"reason": "token_missing"}, {"reason": "operator_gone"}, {"provider_status": 404, "rsp_code": "40402"}],
)
def test_other_outcomes_log_nothing(outages, caplog, fields):
    outages.record([build_exchange(**fields)])
    assert lines(caplog) == []


def test_a_refused_call_ends_no_outage(outages, caplog):
    outages.record([build_exchange(**REFUSED), build_exchange(reason="token_missing")])
    assert len(lines(caplog)) == 1


def test_the_authority_is_logged_separately(outages, caplog):
    outages.record([build_exchange(industry="", reason="authority_unreachable", detail="no_socket")])
    outages.record([build_exchange(**GOOD)])
    outages.record([build_exchange(industry="", **GOOD)])
    assert lines(caplog) == [
        "authority unavailable: cause=authority_unreachable detail=no_socket failures=1",
        "authority available again: after_s=0.0 failures=1",
    ]


@pytest.mark.parametrize("detail", ["no_descriptors", "refused no_descriptors"])
def test_a_lack_of_descriptors_is_no_outage_of_an_institution(outages, clock, caplog, detail):
    outages.record([build_exchange(reason="no_descriptors", detail=detail)] * 3)
    clock.now += 2
    outages.record([build_exchange(CARD, "card", **GOOD)])
    assert lines(caplog) == [
        "file descriptors of the relay unavailable: reason=no_descriptors cause=EMFILE failures=1",
        "file descriptors of the relay available again: reason=no_descriptors after_s=2.0 failures=3",
    ]
    assert not outages.is_failing
