import pytest
from fixtures.telegram_core import TELEGRAMS

from relay.policy.mediation.telegram_reading import split_telegrams
from relay.runtime.commands.telegram.capture import Capture, CapturedTelegram, pair_by_header, pair_by_order
from relay.runtime.commands.telegram.telegram_input import parse_hex


def read(layouts, name):
    stream = parse_hex((TELEGRAMS / "golden" / f"{name}.telegram").read_text())
    return split_telegrams(layouts.link, stream)


@pytest.fixture
def telegrams(layouts):
    """A request and a response of two APIs."""
    return [*read(layouts, "BA22.answer"), *read(layouts, "BA11.answer")]


def test_both_directions_are_divided_by_themselves(layouts, telegrams):
    capture = Capture(layouts.link.framing)
    capture.record(1, True, telegrams[0][:50])
    capture.record(1, False, telegrams[1])
    capture.record(1, True, telegrams[0][50:])
    assert capture.telegrams == [CapturedTelegram(telegrams[1], False), CapturedTelegram(telegrams[0], True)]


def test_garbage_is_kept_as_an_error(layouts):
    capture = Capture(layouts.link.framing)
    capture.record(1, True, b"garbage")
    capture.record(1, True, b"more")
    assert "expected 6 digits" in str(capture.error)


def test_without_framing_streams_are_kept():
    capture = Capture(None)
    capture.record(1, True, b"a")
    capture.record(1, True, b"b")
    assert capture.streams == {(1, True): b"ab"}


def test_requests_and_responses_are_paired_by_code_and_number(layouts, telegrams):
    line = layouts.link.encode_line_request("test", {"today": "", "time": "", "unique_number": "1", "org_code": ""})
    order = [telegrams[0], line, telegrams[1], telegrams[2], telegrams[3], telegrams[1]]
    pairs = pair_by_header(layouts.link, map(CapturedTelegram, order))
    assert [(pair.code, pair.request, pair.response) for pair in pairs] == [
        ("A022", telegrams[0], telegrams[1]), ("A011", telegrams[2], telegrams[3]),
    ]  # fmt: skip


def test_telegrams_of_an_unknown_header_are_paired_by_message_type(telegrams):
    assert pair_by_order([CapturedTelegram(each) for each in telegrams[:2]])[0].request == telegrams[0]
    directed = [CapturedTelegram(b"abc", True), CapturedTelegram(b"def", False)]
    assert (pair_by_order(directed)[0].request, pair_by_order(directed)[0].response) == (b"abc", b"def")
