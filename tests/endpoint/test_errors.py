"""OAuth errors of the standard, and the mapping of exceptions."""

import logging
import re

import pytest

from relay.domain.ledger import LedgerDown, LedgerRefused, Reason
from relay.endpoint.errors import NOT_GRANTED, STATUS, OAuthRefusal, to_oauth_refusal
from relay.standard.catalogue import load_oauth_errors

REDIRECT = 302
ENGLISH = re.compile(r"[a-z]+ [a-z]+")


DIRECT_ERRORS = [row for rows in load_oauth_errors().values() for row in rows if row.http != REDIRECT]


@pytest.mark.parametrize("row", DIRECT_ERRORS, ids=lambda row: row.error)
def test_every_error_has_the_status_of_the_standard(row):
    assert STATUS[row.error] == row.http


def test_no_error_is_our_own():
    assert set(STATUS) == {row.error for rows in load_oauth_errors().values() for row in rows}


@pytest.mark.parametrize("why", [why for why in Reason if not why.value.startswith("request_")])
def test_each_reason_of_the_ledger_has_its_error(why):
    refusal = to_oauth_refusal(LedgerRefused(why))
    assert (refusal.status, refusal.error, refusal.reason) == (400, "invalid_grant", why.value)
    assert not ENGLISH.search(refusal.description)


def test_a_foreign_code_or_token_looks_like_an_unknown_one():
    code_errors = {NOT_GRANTED[why] for why in (Reason.CODE_UNKNOWN, Reason.CODE_OF_ANOTHER, Reason.CODE_SPENT)}
    refresh_errors = {
        NOT_GRANTED[why] for why in (Reason.REFRESH_UNKNOWN, Reason.REFRESH_OF_ANOTHER, Reason.REFRESH_REVOKED)
    }
    assert (len(code_errors), len(refresh_errors)) == (1, 1)


def test_a_refusal_stays_what_it_is():
    refusal = OAuthRefusal("invalid_client", "no")
    assert to_oauth_refusal(refusal) is refusal
    assert refusal.reason == "invalid_client"


def test_a_ledger_outage_is_temporarily_unavailable():
    refusal = to_oauth_refusal(LedgerDown("database or disk is full"))
    assert (refusal.status, refusal.error) == (503, "temporarily_unavailable")
    assert refusal.retry_after > 0


@pytest.mark.parametrize("error", [ValueError("a secret"), LedgerRefused(Reason.REQUEST_LOCKED)])
def test_an_unexpected_error_is_logged_by_type_and_place(error, caplog):
    def fail():
        raise error

    with caplog.at_level(logging.ERROR):
        try:
            fail()
        except Exception as raised:
            refusal = to_oauth_refusal(raised)
    assert (refusal.status, refusal.error, refusal.reason) == (500, "server_error", "relay_broken")
    assert type(error).__name__ in caplog.text
    assert "test_errors.py" in caplog.text
    assert "a secret" not in caplog.text
