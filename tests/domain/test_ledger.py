"""Exceptions of the ledger carry their reason; reprs hide evidence."""

import pytest

from relay.domain.ledger import Evidence, LedgerDown, LedgerRefused, Reason


@pytest.mark.parametrize("why", Reason)
def test_an_exception_carries_its_reason(why):
    error = LedgerRefused(why)
    assert (error.reason, str(error)) == (why, why.value)


def test_an_unreachable_ledger_is_not_a_denial():
    assert not issubclass(LedgerDown, LedgerRefused)


def test_repr_hides_evidence():
    assert repr(Evidence("password", b"Zq7marker")) == "Evidence(kind='password')"
