"""What is counted together, and what of it is a success."""

import pytest

from relay.domain.statistics import SLOTS, Batch, ConsentCount, Line, Sending, SendingState


def line(outcome):
    return Line("20260705", "00", "ZBAA000001", "ZOPA000001", "one1", "2", "BA01", outcome)


@pytest.mark.parametrize(
    ("outcome", "success"),
    [
        ("200_00000", True),
        ("200_00001", True),
        ("200_00002", False),
        ("400_40001", False),
        ("500_50001", False),
        ("400_invalid_grant", False),
        ("200_", False),
        ("0_00000", True),  # the status alone does not tell
        ("200_100000", False),
        ("00000", False),
        ("", False),
    ],
)
def test_success_is_what_the_rsp_code_says(outcome, success):
    assert line(outcome).success is success


def test_lines_that_say_the_same_are_counted_together():
    assert len({line("200_00000"): 1, line("200_00000"): 2}) == 1
    assert line("200_00000") != line("200_00001")
    assert min(line("400_40001"), line("200_00000")) == line("200_00000")


def test_a_day_has_two_slots():
    assert SLOTS == ("00", "01")


def test_a_batch_needs_no_pulses():
    assert Batch("one", {line("200_00000"): 1}).pulses == {}


def test_what_was_sent_is_not_shown():
    told = repr(Sending("20260705", "ZBAA000001", "1", SendingState.WAITING, content=b"Zq7marker"))
    assert "Zq7marker" not in told


def test_a_message_begins_as_one_that_was_never_tried():
    made = Sending("20260705", "ZBAA000001", "1", SendingState("waiting"))
    assert (made.attempts, made.asked, made.tried_at, made.accepted_at, made.content) == (0, False, 0, 0, b"")


def test_consents_of_a_day_have_their_places():
    count = ConsentCount("20260705", "ZBAA000001", "ZOPA000001", "one1", 3, 2, 1)
    assert (count.new, count.revoked, count.own) == (3, 2, 1)
