import pytest

from relay.infra.answers.counts import MAX_CODES, MAX_PLACES, OTHER_CODE, AnswerCounts
from relay.policy.answers.answer_rules import Verdict
from relay.policy.answers.rules import Rule, Violation

BANK, CARD = "ZBAA000001", "ZCDA000001"


@pytest.fixture
def counts():
    return AnswerCounts()


def test_answers_and_their_rules_are_counted(counts):
    broken = Verdict((Violation(Rule.COUNT, "trans_cnt"), Violation(Rule.ORDER, "trans_list[].trans_dtime")))
    for verdict in (Verdict(()), broken, broken):
        counts.record(BANK, "BA04", verdict)
    assert counts.checked == {(BANK, "BA04", "clean"): 1, (BANK, "BA04", "broken"): 2}
    assert counts.broken == {
        (BANK, "BA04", "count", "trans_cnt"): 2,
        (BANK, "BA04", "order", "trans_list[].trans_dtime"): 2,
    }


def test_numbers_without_quotes_leave_an_answer_clean(counts):
    counts.record(BANK, "BA04", Verdict((), style="trans_cnt"))
    assert counts.checked == {(BANK, "BA04", "clean"): 1}
    assert counts.broken == {(BANK, "BA04", "style", "trans_cnt"): 1}


def test_fields_beyond_the_limit_are_counted_without_name(counts):
    for number in range(MAX_PLACES + 10):
        counts.record(BANK, "BA04", Verdict((Violation(Rule.TYPE, f"field{number}"),)))
    counts.record(CARD, "CD01", Verdict((Violation(Rule.TYPE, "card_id"),)))
    assert len(counts.broken) == MAX_PLACES + 2
    assert counts.broken[BANK, "BA04", "type", ""] == 10
    assert counts.broken[CARD, "CD01", "type", "card_id"] == 1


def test_unknown_codes_beyond_the_limit_have_no_name(counts):
    for number in range(MAX_CODES + 5):
        counts.record(BANK, "BA04", Verdict((), unknown_code=f"7{number:04}"))
    counts.record(BANK, "BA04", Verdict((), unknown_code="70000"))
    assert (counts.codes[BANK, "70000"], counts.codes[BANK, OTHER_CODE], len(counts.codes)) == (2, 5, MAX_CODES + 1)
