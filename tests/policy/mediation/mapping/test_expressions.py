import pytest

from relay.policy.mediation.errors import LayoutError, ValueFault
from relay.policy.mediation.mapping.expressions import Frame, Scope, compile_expression
from relay.policy.mediation.mapping.records import Record, RecordField, describe_record
from relay.policy.mediation.settings import Expression
from relay.policy.mediation.telegram.codec import Kind
from relay.policy.mediation.telegram.decoding import Decoder

INNER = {"list": "inner", "count": "m", "fields": ["v amount(2)"]}
LINES = [
    "day date",
    "clock time",
    "kind an(1)",
    "n n(1)",
    {"list": "rows", "count": "n", "fields": ["a an(2)", "amt amount(3,1)", "m n(1)", INNER]},
]
DATA = b"20260131101112Y" + b"2" + b"A1" + b"015" + b"2" + b"0703" + b"B " + b"020" + b"0"


@pytest.fixture
def message(plan_of):
    plan = plan_of(LINES)
    return Scope(describe_record(plan.parts)), Frame(Decoder("test", DATA, {}).decode(plan))


@pytest.fixture
def rows(message):
    scope, frame = message
    table = frame.table.groups["rows"]
    return Scope(scope.groups["rows"], scope), Frame(table, frame, frame.table.counts["rows"])


def evaluate(place, **values):
    scope, frame = place
    result = compile_expression("answer.x", Expression(**values), scope).evaluate(frame)
    return result if isinstance(result, bytes) else list(result)


def test_values_of_the_message(message):
    assert evaluate(message, field="kind") == [b"Y"]
    assert evaluate(message, value="KRW") == b"KRW"
    assert evaluate(message, value="$kind") == [b"Y"]
    assert evaluate(message, join=("day", "clock")) == [b"20260131101112"]
    assert evaluate(message, join=("day", "= -", "kind")) == [b"20260131-Y"]
    assert evaluate(message, count="rows") == [b"2"]
    assert evaluate(message, sum="rows.amt") == [b"3.5"]


def test_values_of_rows(rows):
    assert evaluate(rows, field="a") == [b"A1", b"B"]
    assert evaluate(rows, field="day") == b"20260131"
    assert evaluate(rows, join=("a", "kind")) == [b"A1Y", b"BY"]
    assert evaluate(rows, count="inner") == [b"2", b"0"]
    assert evaluate(rows, sum="inner.v") == [b"10", b"0"]


def test_nested_rows_see_the_rows_around_them(rows):
    scope, frame = rows
    table = frame.table.groups["inner"]
    inner = (Scope(scope.groups["inner"], scope), Frame(table, frame, frame.table.counts["inner"]))
    assert evaluate(inner, field="v") == [b"7", b"3"]
    assert evaluate(inner, field="a") == [b"A1", b"A1"]
    assert evaluate(inner, field="kind") == b"Y"


def test_codes_translate_and_a_default_stands_for_the_rest(rows):
    assert evaluate(rows, field="a", codes={"A1": "01", "B": "02"}) == [b"01", b"02"]
    assert evaluate(rows, field="a", codes={"A1": "01"}, default="99") == [b"01", b"99"]
    with pytest.raises(ValueFault) as caught:
        evaluate(rows, field="a", codes={"A1": "01"})
    assert caught.value.index == 1


def test_conditions_leave_values_out(rows):
    assert evaluate(rows, field="a", when={"m": ("2",)}) == [b"A1", b""]
    assert evaluate(rows, field="a", unless={"m": ("2",)}) == [b"", b"B"]
    assert evaluate(rows, field="a", when={"kind": ("Y", "Z")}) == [b"A1", b"B"]
    assert evaluate(rows, field="a", when={"a": ()}) == [b"A1", b"B"]
    assert evaluate(rows, value="x", unless={"kind": ()}) == [b"", b""]


@pytest.mark.parametrize(
    ("values", "kind", "choices"),
    [
        ({"join": ("day", "clock")}, Kind.DATETIME, None),
        ({"join": ("kind", "day")}, Kind.ASCII, None),
        ({"count": "rows"}, Kind.NUMBER, None),
        ({"field": "day"}, Kind.DATE, None),
        ({"value": "x"}, Kind.TEXT, frozenset({"x"})),
        ({"field": "kind", "codes": {"Y": "true"}, "default": "false"}, Kind.TEXT, frozenset({"true", "false"})),
    ],
)
def test_what_values_can_be_is_known_at_load(message, values, kind, choices):
    source = compile_expression("answer.x", Expression(**values), message[0])
    assert (source.kind, source.choices) == (kind, choices)


@pytest.mark.parametrize(
    "values",
    [{"field": "b"}, {"join": ("day", "b")}, {"count": "day"}, {"sum": "rows.a"}, {"sum": "other.amt"},
     {"field": "day", "when": {"b": ()}}, {"value": "$b"}],
)  # fmt: skip
def test_unknown_names_are_refused(message, values):
    with pytest.raises(LayoutError) as caught:
        compile_expression("answer.x", Expression(**values), message[0])
    assert caught.value.key == "answer.x"


@pytest.fixture
def moments(plan_of):
    """Returns the frame of rows: the joined moment of each must be none."""

    def build(*rows):
        plan = plan_of([{"list": "rows", "times": len(rows), "fields": ["day date", "clock time", "end an(1)"]}])
        table = Decoder("test", b"".join(row + b"." for row in rows), {}).decode(plan).groups["rows"]
        return Scope(describe_record(plan.parts).groups["rows"]), Frame(table)

    return build


def test_a_moment_has_a_date_and_a_time_or_neither(moments):
    rows = moments(b"20260131" + b"101112", b" " * 14, b"0" * 14, b"00000000" + b" " * 6)
    assert evaluate(rows, join=("day", "clock")) == [b"20260131101112", b"", b"", b""]


@pytest.mark.parametrize("row", [b" " * 8 + b"155346", b"00000000155346", b"20260131" + b" " * 6])
def test_half_a_moment_is_an_error(moments, row):
    with pytest.raises(ValueFault) as caught:
        evaluate(moments(b"20260131101112", row), join=("day", "clock"))
    assert (caught.value.index, caught.value.expected[:13]) == (1, "date and time")


@pytest.fixture
def amounts(plan_of):
    plan = plan_of([{"list": "rows", "times": 4, "fields": ["sign an(1)", "amt amount(5,1)", "own packed(2)"]}])
    data = b"-00015\x12\x3c" + b" 00000\x12\x3d" + b"+     \x12\x3d" + b"100120\x00\x0c"
    table = Decoder("test", data, {}).decode(plan).groups["rows"]
    return Scope(describe_record(plan.parts).groups["rows"]), Frame(table)


def test_an_amount_may_have_its_sign_in_another_field(amounts):
    assert evaluate(amounts, field="amt", minus={"sign": ("-", "1")}) == [b"-1.5", b"0", b"", b"-12"]
    with pytest.raises(ValueFault, match="without sign"):
        evaluate(amounts, field="own", minus={"sign": ("+",)}, plus={"sign": ("", "-", "1")})


def test_an_unknown_sign_is_an_error_and_no_positive_amount(amounts):
    with pytest.raises(ValueFault, match="a value of minus or plus in sign") as caught:
        evaluate(amounts, field="amt", minus={"sign": ("-",)})
    assert caught.value.index == 3
    plus = {"sign": ("", "1")}
    assert evaluate(amounts, field="amt", minus={"sign": ("-",)}, plus=plus) == [b"-1.5", b"0", b"", b"12"]


@pytest.mark.parametrize(
    ("values", "place", "wrong"),
    [
        ({"minus": {"sign": ()}}, "minus.sign", "has no values of negative numbers"),
        ({"plus": {"sign": ("+",)}}, "minus.sign", "has no values of negative numbers"),
        ({"minus": {"sign": ("-",)}, "plus": {"amt": ("1",)}}, "minus.sign", "has no values of negative numbers"),
        ({"minus": {"sign": ("--",)}}, "minus.sign", "has the value --, which does not fit in the field"),
        ({"minus": {"sign": ("-",)}, "plus": {"sign": ("02",)}}, "plus.sign", "has the value 02, which does not fit"),
        ({"minus": {"sign": ("-",)}, "plus": {"sign": ("+", "-")}}, "plus.sign", "has -, as minus"),
        ({"when": {"sign": ("02",)}}, "when.sign", "has the value 02, which does not fit in the field"),
        ({"unless": {"own": ("01",)}}, "unless.own", "has the value 01, which reads as 1 in the field"),
        ({"codes": {"x": "1"}}, "codes", "has the value x, which does not fit in the field"),
    ],
)
def test_values_that_a_field_never_has_are_refused(amounts, values, place, wrong):
    with pytest.raises(LayoutError) as caught:
        compile_expression("answer.x", Expression(field="amt", **values), amounts[0])
    assert (caught.value.key, caught.value.wrong[: len(wrong)]) == (f"answer.x.{place}", wrong)


def test_all_values_of_a_sign_that_are_known_need_a_meaning():
    fields = {
        "amt": RecordField(Kind.NUMBER, 5),
        "neg": RecordField(Kind.ASCII, 5, choices=frozenset({"true", "false"})),
    }
    scope, minus = Scope(Record(fields, {})), {"neg": ("true",)}
    with pytest.raises(LayoutError, match="does not have false"):
        compile_expression("answer.x", Expression(field="amt", minus=minus), scope)
    assert compile_expression("answer.x", Expression(field="amt", minus=minus, plus={"neg": ("false",)}), scope)


def test_an_amount_may_be_in_units(amounts):
    assert evaluate(amounts, field="amt", times=1000) == [b"1500", b"0", b"", b"12000"]
    assert evaluate(amounts, field="amt", times=3) == [b"4.5", b"0", b"", b"36"]
    assert evaluate(amounts, field="amt", times=1000, minus={"sign": ("-", "1")})[0] == b"-1500"
    source = compile_expression("answer.x", Expression(field="amt", times=1000), amounts[0])
    assert (source.digits, source.scale) == (4 + 3, 1)


@pytest.mark.parametrize("values", [{"times": 10}, {"minus": {"amt": ("1",)}}])
def test_text_has_no_units_and_no_sign(amounts, values):
    with pytest.raises(LayoutError) as caught:
        compile_expression("answer.x", Expression(field="sign", **values), amounts[0])
    assert caught.value.key == f"answer.x.{next(iter(values))}"
