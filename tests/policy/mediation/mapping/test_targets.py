import pytest

from relay.domain.api import Field, Presence
from relay.policy.mediation.errors import LayoutError, ValueFault
from relay.policy.mediation.mapping.expressions import Source
from relay.policy.mediation.mapping.targets import compile_target
from relay.policy.mediation.telegram.codec import Kind


def build_field(kind, length="", codes=()):
    return Field("x", kind, length, Presence.REQUIRED, "", dict.fromkeys(codes, ""), "")


def build_source(kind, size, scale=0, **values):
    return Source(lambda _: [], kind, size, size - scale, scale, **values)


def convert(field, source, *values):
    column = [value.encode() for value in values]
    for step in compile_target("answer.x", field, source).converts:
        column = step(column)
    return [value.decode() for value in column]


@pytest.mark.parametrize(
    ("field", "source", "values", "expected"),
    [
        (build_field("N", "3"), build_source(Kind.DIGITS, 3), ["012", "000", ""], ["12", "0", ""]),
        (build_field("F", "18,3"), build_source(Kind.NUMBER, 15, 3), ["12.5"], ["12.5"]),
        (build_field("F", "18,3"), build_source(Kind.ASCII, 20), ["12.5"], ["12.5"]),
        (build_field("Boolean"), build_source(Kind.ASCII, 1), ["Y", "N", "1", "0", ""],
         ["true", "false", "true", "false", ""]),
        (build_field("aN", "2", ["01", "02"]), build_source(Kind.DIGITS, 2), ["01", ""], ["01", ""]),
        (build_field("DATE", "8"), build_source(Kind.DATE, 8), ["20260131"], ["20260131"]),
        (build_field("DATE", "8"), build_source(Kind.DIGITS, 8), ["20260131", ""], ["20260131", ""]),
        (build_field("DTIME|DATE", "14"), build_source(Kind.DATE, 8), ["20260131"], ["20260131"]),
        (build_field("aN", "20"), build_source(Kind.ASCII, 20), ["Ab1", ""], ["Ab1", ""]),
        (build_field("aNS", "20"), build_source(Kind.ASCII, 20), ["A-b 1"], ["A-b 1"]),
        (build_field("A", "3"), build_source(Kind.ASCII, 3), ["KRW", ""], ["KRW", ""]),
        (build_field("AN", "5"), build_source(Kind.ASCII, 5), ["A1"], ["A1"]),
        (build_field("AH", "6"), build_source(Kind.TEXT, 9, longer="cut"), ["한글은", "한글", "AB한글"],
         ["한글", "한글", "AB한"]),
        (build_field("AH", "6"), build_source(Kind.TEXT, 9, longer="check"), ["한글"], ["한글"]),
        (build_field("AH", "20"), build_source(Kind.NUMBER, 9), ["12"], ["12"]),
        (build_field("N", "14"), build_source(Kind.DATETIME, 14), ["20260131101112"], ["20260131101112"]),
    ],
)  # fmt: skip
def test_values_become_those_of_the_standard(field, source, values, expected):
    assert convert(field, source, *values) == expected


@pytest.mark.parametrize(
    ("field", "source", "value"),
    [
        (build_field("F", "5,3"), build_source(Kind.NUMBER, 9, longer="check"), "123"),
        (build_field("N", "3"), build_source(Kind.ASCII, 3), "1x"),
        (build_field("Boolean"), build_source(Kind.ASCII, 1), "X"),
        (build_field("aN", "2", ["01", "02"]), build_source(Kind.DIGITS, 2), "03"),
        (build_field("DATE", "8"), build_source(Kind.DIGITS, 8), "20260231"),
        (build_field("aN", "20"), build_source(Kind.ASCII, 20), "A-1"),
        (build_field("A", "3"), build_source(Kind.ASCII, 3), "krw"),
        (build_field("AN", "5"), build_source(Kind.ASCII, 5), "a1"),
        (build_field("a", "5"), build_source(Kind.ASCII, 5), "A"),
        (build_field("aN", "5"), build_source(Kind.TEXT, 5), "한"),
        (build_field("AH", "6"), build_source(Kind.TEXT, 9, longer="check"), "한글은"),
        (build_field("aN", "3"), build_source(Kind.ASCII, 9, longer="check"), "ABCD"),
    ],
)
def test_a_wrong_value_is_named_by_its_row(field, source, value):
    with pytest.raises(ValueFault) as caught:
        convert(field, source, "", "", value)
    assert caught.value.index == 2


@pytest.mark.parametrize(
    ("field", "source"),
    [
        (build_field("F", "18,3"), build_source(Kind.NUMBER, 17)),
        (build_field("F", "18,3"), build_source(Kind.NUMBER, 9, 4)),
        (build_field("N", "3"), build_source(Kind.DIGITS, 4)),
        (build_field("N", "3"), build_source(Kind.TEXT, 3)),
        (build_field("N", "3"), build_source(Kind.DATE, 8)),
        (build_field("Boolean"), build_source(Kind.ASCII, 2)),
        (build_field("Boolean"), build_source(Kind.TEXT, 1)),
        (build_field("DATE", "8"), build_source(Kind.DATETIME, 14)),
        (build_field("DATE", "8"), build_source(Kind.NUMBER, 8)),
        (build_field("DTIME", "14"), build_source(Kind.DATE, 8)),
        (build_field("aN", "20"), build_source(Kind.ASCII, 21)),
        (build_field("AH", "15"), build_source(Kind.TEXT, 16)),
        (build_field("aN", "2"), build_source(Kind.ASCII, 4, longer="cut")),
        (build_field("aN", "2", ["01"]), build_source(Kind.TEXT, 2, choices=frozenset({"01", "03"}))),
        (build_field("Boolean"), build_source(Kind.TEXT, 2, choices=frozenset({"yes"}))),
    ],
)
def test_a_source_that_can_never_fit_is_a_problem(field, source):
    with pytest.raises(LayoutError) as caught:
        compile_target("answer.x", field, source)
    assert caught.value.key == "answer.x"
    assert caught.value.allowed
