import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.telegram.framing import FrameReader, Framing, FramingSettings

FORMS = [
    (FramingSettings(length=4), b"0006ABCDEF"),
    (FramingSettings(length=4, counts="all"), b"0010ABCDEF"),
    (FramingSettings(length=6), b"000006ABCDEF"),
    (FramingSettings(length=4, add=2), b"0004ABCDEF"),
    (FramingSettings(length=2, encoding="binary"), b"\x00\x06ABCDEF"),
    (FramingSettings(length=4, encoding="binary", counts="all"), b"\x00\x00\x00\x0aABCDEF"),
    (FramingSettings(length=2, encoding="little"), b"\x06\x00ABCDEF"),
    (FramingSettings(length=4, offset=3), b"ABC0003DEF"),
    (FramingSettings(length=4, offset=3, counts="all"), b"ABC0010DEF"),
]
IDS = ["4 digits", "with itself", "6 digits", "add", "2 bytes", "4 bytes", "little", "offset", "offset, with itself"]


def get_framing(settings):
    return Framing(settings, settings.offset + settings.length + 3)


@pytest.mark.parametrize(("settings", "telegram"), FORMS, ids=IDS)
def test_a_length_is_read_and_written(settings, telegram):
    framing = get_framing(settings)
    assert framing.read_size(telegram) == len(telegram)
    blank = telegram[: settings.offset] + b"\xff" * settings.length + telegram[framing.end :]
    assert framing.write_length(blank) == telegram


@given(st.sampled_from(FORMS), st.lists(st.integers(1, 9), max_size=20))
def test_telegrams_arrive_in_any_parts(form, sizes):
    settings, telegram = form
    reader = FrameReader(get_framing(settings))
    stream, telegrams = telegram * 5, []
    for size in sizes:
        telegrams += reader.feed(stream[:size])
        stream = stream[size:]
    telegrams += reader.feed(stream)
    assert telegrams == [telegram] * 5
    assert reader.pending == 0


def test_a_part_of_a_telegram_is_pending():
    reader = FrameReader(get_framing(FramingSettings(length=4)))
    assert reader.feed(b"0006ABC") == []
    assert reader.pending == 7


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n", b"    ", b"-001", b"0002AB", b"9999", b"\xb1\xb2\xb3\xb4"])
def test_garbage_is_refused(garbage):
    reader = FrameReader(Framing(FramingSettings(length=4, max_bytes=100), 8))
    with pytest.raises(ConversionError) as caught:
        reader.feed(garbage)
    assert (caught.value.message, caught.value.offset, caught.value.field) == ("frame", 0, "length")


def test_telegrams_before_garbage_are_not_lost():
    reader = FrameReader(get_framing(FramingSettings(length=4)))
    assert reader.feed(b"0006ABCDEFgarbage") == [b"0006ABCDEF"]
    for data in (b"", b"0006ABCDEF"):
        with pytest.raises(ConversionError):
            reader.feed(data)


def test_a_telegram_too_long_for_its_length_is_refused():
    with pytest.raises(ConversionError):
        Framing(FramingSettings(length=2), 4).write_length(b"__" + b"A" * 100)
    with pytest.raises(ConversionError):
        Framing(FramingSettings(length=4, max_bytes=50), 4).write_length(b"____" + b"A" * 100)


def test_a_binary_length_has_at_most_8_bytes():
    with pytest.raises(ValueError, match="1 to 8 bytes"):
        FramingSettings(length=9, encoding="binary")


def test_a_part_of_a_length_is_refused_at_once():
    reader = FrameReader(get_framing(FramingSettings(length=4, offset=1)))
    assert reader.feed(b"X00") == []
    with pytest.raises(ConversionError, match="frame: offset 1: length: expected 4 digits"):
        reader.feed(b"?")
