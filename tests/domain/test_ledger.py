"""What the ledger says no with, and what is never shown of what it keeps."""

import pytest

from relay.domain.ledger import Evidence, NotGranted, Unreachable, Why


@pytest.mark.parametrize("why", Why)
def test_a_refusal_knows_its_reason(why):
    refusal = NotGranted(why)
    assert (refusal.why, str(refusal)) == (why, why.value)


def test_a_ledger_that_does_not_answer_is_no_refusal():
    assert not issubclass(Unreachable, NotGranted)


def test_evidence_is_not_shown():
    assert repr(Evidence("password", b"Zq7marker")) == "Evidence(kind='password')"
