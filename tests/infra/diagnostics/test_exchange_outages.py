"""What exchanges tell of institutions and of the authority, in lines of the log."""

import pytest

from relay.domain.exchange import Exchange
from relay.infra.diagnostics.exchange_outages import ExchangeOutages

BANK, CARD = "ZBAA000001", "ZCDA000001"


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def ended(provider=BANK, industry="bank", **fields):
    exchange = Exchange(0.0, 0.0)
    exchange.provider, exchange.industry = provider, industry
    for name, value in fields.items():
        setattr(exchange, name, value)
    return exchange


REFUSED = {"reason": "provider_refused", "detail": "tls_expired"}
GOOD = {"provider_status": 200}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def outages(clock):
    return ExchangeOutages(clock)


def lines(caplog):
    return [record.getMessage() for record in caplog.records]


def test_an_institution_that_fails_is_logged_with_its_cause(outages, clock, caplog):
    outages.record([ended(**REFUSED)] * 40)
    clock.now += 7
    outages.record([ended(**GOOD), ended(**GOOD)])
    assert lines(caplog) == [
        f"institution unavailable: org_code={BANK} cause=provider_refused detail=tls_expired failures=1",
        f"institution available again: org_code={BANK} after_s=7.0 failures=40",
    ]


def test_an_answer_of_another_institution_ends_no_outage(outages, caplog):
    outages.record([ended(**REFUSED), ended(CARD, "card", **GOOD)])
    assert len(lines(caplog)) == 1


@pytest.mark.parametrize(
    "fields",
    [GOOD, {"reason": "token_missing"}, {"reason": "operator_gone"}, {"provider_status": 404, "rsp_code": "40402"}],
)
def test_what_is_no_failure_of_the_institution_logs_nothing(outages, caplog, fields):
    outages.record([ended(**fields)])
    assert lines(caplog) == []


def test_a_refused_call_ends_no_outage(outages, caplog):
    outages.record([ended(**REFUSED), ended(reason="token_missing")])
    assert len(lines(caplog)) == 1


def test_the_authority_is_told_from_institutions(outages, caplog):
    outages.record([ended(industry="", reason="authority_unreachable", detail="no_socket")])
    outages.record([ended(**GOOD)])
    outages.record([ended(industry="", **GOOD)])
    assert lines(caplog) == [
        "authority unavailable: cause=authority_unreachable detail=no_socket failures=1",
        "authority available again: after_s=0.0 failures=1",
    ]
