"""Any layout decodes what it encodes, and meets any bytes with values or a ConversionError."""

from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.inspection import decode_message, encode_message

PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
HANGUL = st.sampled_from(list("가나다라한글은행각 A1-"))
DIGITS = st.characters(min_codepoint=0x30, max_codepoint=0x39)


def numbers(digits, scale, signed):
    """Numbers in their shortest form that have `digits` digits with `scale` decimals."""
    low = -(10**digits) + 1 if signed else 0
    return st.integers(low, 10**digits - 1).map(lambda number: format_number(number, scale))


def format_number(number, scale):
    text = f"{Decimal(number).scaleb(-scale):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def days():
    return st.dates(min_value=date(1970, 1, 1)).map(lambda day: day.strftime("%Y%m%d"))


def times():
    return st.times().map(lambda time: time.strftime("%H%M%S"))


@st.composite
def fields(draw, name):
    """The line of a field, and a strategy of its values."""
    length, scale = draw(st.integers(1, 8)), draw(st.integers(0, 3))
    kind = draw(
        st.sampled_from(
            [
                f"an({length})",
                f"n({length})",
                f"ah({length * 3})",
                f"amount({length + scale},{scale})",
                f"amount({length + scale + 1},{scale}) sign leading",
                f"amount({length + scale + 1},{scale}) sign trailing",
                f"decimal({length + scale + 2},{scale})",
                f"packed({length},{min(scale, length * 2 - 2)})",
                f"zoned({length + scale},{scale})",
                f"binary({length})",
                "date",
                "time",
                "datetime",
            ]
        )
    )
    return f"{name} {kind}", values_of_kind(kind)


@st.composite
def records(draw, prefix, depth):
    """Items of a record, and values by name. Lists come after their count."""
    items, values = [], {}
    for index in range(draw(st.integers(1, 4))):
        if draw(st.integers(0, 5)) == 0:
            items.append(f"filler({draw(st.integers(1, 4))})")
        line, strategy = draw(fields(f"{prefix}{index}"))
        items.append(line)
        values[f"{prefix}{index}"] = draw(strategy)
    if depth and draw(st.booleans()):
        inner, _ = draw(records(f"{prefix}r", 0))
        count = f"{prefix}count"
        group = {"list": f"{prefix}list", "count": count, "fields": inner, "max": 9}
        items += [f"{count} n(1)", group]
        values[f"{prefix}list"] = [draw(values_of(inner)) for _ in range(draw(st.integers(0, 4)))]
        values[count] = str(len(values[f"{prefix}list"]))
        if draw(st.booleans()):
            line, strategy = draw(fields(f"{prefix}after"))
            items.append(line)
            values[f"{prefix}after"] = draw(strategy)
    return items, values


@st.composite
def values_of(draw, items):
    """Values of plain fields by their lines; nested rows have numbers and text only."""
    values = {}
    for line in items:
        name, _, kind = line.partition(" ")
        if kind:
            values[name] = draw(values_of_kind(kind))
    return values


def values_of_kind(kind):
    """Values of a field by its line without the name."""
    name, _, rest = kind.partition("(")
    length, _, scale = rest.partition(")")[0].partition(",")
    size, decimals, signed = int(length or 0), int(scale or 0), "sign" in rest
    top = 2 ** max(size * 8 - 1, 0)
    return {
        "an": st.text(PRINTABLE, max_size=size),
        "n": st.text(DIGITS, min_size=size, max_size=size),
        "ah": st.text(HANGUL, max_size=size // 3).map(str.strip),
        "amount": numbers(size - signed, decimals, signed),
        "decimal": numbers(max(size - 2, 0), decimals, signed=True),
        "packed": numbers(max(size * 2 - 1, 0), decimals, signed=True),
        "zoned": numbers(size, decimals, signed=True),
        "binary": st.integers(-top, top - 1).map(str),
        "date": days() | st.just(""),
        "time": times() | st.just(""),
        "datetime": st.builds(str.__add__, days(), times()) | st.just(""),
    }[name]


@st.composite
def nested_records(draw):
    """A record whose rows have rows, and its values."""
    row, _ = draw(records("a", 0))
    inner, _ = draw(records("b", 0))
    members = {"list": "inner", "count": "many", "fields": inner}
    group = {"list": "rows", "count": "count", "fields": [*row, "many n(2)", members]}
    rows = []
    for _ in range(draw(st.integers(0, 4))):
        nested = [draw(values_of(inner)) for _ in range(draw(st.integers(0, 3)))]
        rows.append({**draw(values_of(row)), "inner": nested, "many": f"{len(nested):02}"})
    return ["count n(3)", group, "last an(2)"], {"count": f"{len(rows):03}", "rows": rows, "last": "ok"}


@settings(deadline=None)
@given(records("f", 1), st.sampled_from(["EUC-KR", "CP949", "UTF-8"]))
def test_a_layout_decodes_what_it_encodes(plan_of, record, charset):
    items, values = record
    plan = plan_of(items, charset)
    assert decode_message("test", plan, encode_message("test", plan, values)) == values


@settings(max_examples=60, deadline=None)
@given(nested_records())
def test_nested_rows_decode_what_they_encode(plan_of, record):
    items, values = record
    plan = plan_of(items)
    assert decode_message("test", plan, encode_message("test", plan, values)) == values


def find_error(plan, telegram):
    """Returns the ConversionError of a telegram, None when it is decoded."""
    try:
        decode_message("test", plan, telegram)
    except ConversionError as error:
        return error
    return None


@settings(deadline=None)
@given(records("f", 1) | nested_records(), st.data())
def test_any_bytes_give_values_or_a_conversion_error(plan_of, record, data):
    items, values = record
    plan = plan_of(items)
    telegram = bytearray(encode_message("test", plan, values))
    for _ in range(data.draw(st.integers(1, 4))):
        if telegram:
            byte = data.draw(st.sampled_from(b"0159 ") | st.integers(0, 255))
            telegram[data.draw(st.integers(0, len(telegram) - 1))] = byte
    end = data.draw(st.integers(0, len(telegram)) | st.just(len(telegram)))
    error = find_error(plan, bytes(telegram[:end]))
    if error is not None:
        assert 0 <= error.offset <= end
        assert error.field
        assert error.expected
