"""Lines, batches and messages of the statistics."""

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
        ("0_00000", True),  # the status does not matter
        ("200_100000", False),
        ("00000", False),
        ("", False),
    ],
)
def test_the_rsp_code_determines_success(outcome, success):
    assert line(outcome).success is success


def test_equal_lines_are_one_key_and_lines_are_ordered():
    assert len({line("200_00000"): 1, line("200_00000"): 2}) == 1
    assert line("200_00000") != line("200_00001")
    assert min(line("400_40001"), line("200_00000")) == line("200_00000")


def test_a_day_has_two_slots():
    assert SLOTS == ("00", "01")


def test_pulses_of_a_batch_are_optional():
    assert Batch("one", {line("200_00000"): 1}).pulses == {}


def test_the_repr_of_a_message_hides_its_content():
    text = repr(Sending("20260705", "ZBAA000001", "1", SendingState.WAITING, content=b"Zq7marker"))
    assert "Zq7marker" not in text


def test_a_new_message_was_never_tried():
    sending = Sending("20260705", "ZBAA000001", "1", SendingState("waiting"))
    assert (sending.attempts, sending.requested, sending.tried_at, sending.accepted_at, sending.content) == (
        0,
        False,
        0,
        0,
        b"",
    )


def test_fields_of_a_consent_count():
    count = ConsentCount("20260705", "ZBAA000001", "ZOPA000001", "one1", 3, 2, 1)
    assert (count.new, count.revoked, count.own) == (3, 2, 1)
