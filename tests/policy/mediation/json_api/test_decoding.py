import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.policy.mediation.errors import ConversionError, ForeignResponse
from relay.policy.mediation.inspection import build_values
from relay.policy.mediation.json_api.decoding import JsonDecoder, parse_json
from relay.policy.mediation.json_api.plan import compile_field
from relay.policy.mediation.json_api.requests import RequestPlan, write_request

LINES = [
    "no an(5)",
    "name ah(5) at who.name",
    {
        "list": "rows",
        "at": "data.items",
        "fields": [
            "day date YYYY-MM-DD",
            "amount decimal(9,2) at money.amount",
            {"list": "parts", "optional": True, "max": 3, "fields": ["kind an(2)", "rate decimal(5,3)"]},
        ],
    },
]
ROW = {"day": "2026-01-31", "money": {"amount": "1.50"}, "parts": [{"kind": "A", "rate": "0.1"}]}
BODY = {"no": "7", "who": {"name": "가"}, "data": {"items": [ROW, {**ROW, "parts": None}, {**ROW, "parts": [{}, {}]}]}}


def decode(record, body, expected=None, **options):
    return JsonDecoder("test", expected or {}, **options).decode(record, body)


def test_objects_and_lists_become_tables(record_of):
    table = decode(record_of(LINES), BODY)
    row = {"day": "20260131", "amount": "1.5"}
    assert build_values(table) == {
        "no": "7",
        "name": "가",
        "rows": [
            {**row, "parts": [{"kind": "A", "rate": "0.1"}]},
            {**row, "parts": []},
            {**row, "parts": [{"kind": "", "rate": ""}, {"kind": "", "rate": ""}]},
        ],
    }


def test_absent_members_have_no_value(record_of):
    assert build_values(decode(record_of(["a an(1)", "b an(1) at o.p.b"]), {"o": None})) == {"a": "", "b": ""}


def test_a_body_may_be_a_list(record_of):
    record = record_of([{"list": "rows", "at": "$", "fields": ["a an(1)"]}])
    assert build_values(decode(record, [{"a": "x"}, {}])) == {"rows": [{"a": "x"}, {"a": ""}]}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"who": "x"}, "$.who: expected an object"),
        ({"data": {}}, "$.data.items: expected a list"),
        ({"data": {"items": {}}}, "$.data.items: expected a list"),
        ({"data": {"items": [ROW, 7]}}, "$.data.items[1]: expected an object"),
        ({"data": {"items": [ROW, {**ROW, "money": []}]}}, "$.data.items[1].money: expected an object"),
        ({"data": {"items": [ROW, {**ROW, "day": "x"}]}}, "$.data.items[1].day: expected a date, YYYY-MM-DD"),
        (
            {"data": {"items": [ROW, {**ROW, "parts": []}, {**ROW, "parts": [{}, {"rate": "x"}]}]}},
            "$.data.items[2].parts[1].rate: expected a number of at most 2 digits and 3 decimals",
        ),
        ({"data": {"items": [{**ROW, "parts": [{}] * 4}]}}, "$.data.items[0].parts: expected at most 3 rows"),
    ],
)
def test_errors_name_the_path_with_its_rows(record_of, change, place):
    with pytest.raises(ConversionError) as caught:
        decode(record_of(LINES), BODY | change)
    assert str(caught.value) == f"test: {place}"


def test_a_table_locates_its_fields(record_of):
    table = decode(record_of(LINES), BODY)
    assert table.locate("name", 0) == "$.who.name"
    assert table.groups["rows"].locate("amount", 2) == "$.data.items[2].money.amount"
    assert table.groups["rows"].groups["parts"].locate("rate", 2) == "$.data.items[2].parts[1].rate"


def test_a_response_repeats_values_of_its_request(record_of):
    record = record_of(["no an(5) = $number", "kind an(1) = K"])
    decode(record, {"no": "7", "kind": "K"}, {"number": "7"})
    for body, words in (({"no": "8", "kind": "K"}, r"\$number of the request"), ({"no": "7", "kind": "L"}, "constant")):
        with pytest.raises(ForeignResponse, match=words):
            decode(record, body, {"number": "7"})
    with pytest.raises(ForeignResponse):
        decode(record, {"kind": "K"}, {"number": "7"})
    decode(record, {}, {"number": "7"}, is_strict=False)
    with pytest.raises(ForeignResponse):
        decode(record, {"no": "8"}, {"number": "7"}, is_strict=False)


def test_numbers_are_parsed_as_their_text():
    assert parse_json("t", b'{"a":0.10,"b":123456789012345678901234567890,"c":true}', "UTF-8") == {
        "a": "0.10", "b": "123456789012345678901234567890", "c": True,
    }  # fmt: skip
    assert parse_json("t", '{"a":"가"}'.encode("euc-kr"), "EUC-KR") == {"a": "가"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "offset 0: $: expected JSON"),
        (b'{"a":"\xb0\xa1"}', "offset 6: $: expected JSON in UTF-8"),
        ('{"가":x}'.encode(), "offset 7: $: expected JSON"),
        (b'{"a":1,"a":1}', "duplicate names"),
        (b'{"a":NaN}', "no NaN or Infinity"),
        (b"[" * 100_000, "objects in each other"),
        (b'{"a":' * 100_000, "objects in each other"),
        (b'{"a":1}x', "offset 7: $: expected JSON"),
    ],
)
def test_what_is_no_json_is_an_error(data, words):
    with pytest.raises(ConversionError) as caught:
        parse_json("t", data, "UTF-8")
    assert words in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["no", "who", "name", "data", "items", "day", "money", "amount", "parts", "kind", "rate"]), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150)
@given(JSON | st.builds(lambda items: BODY | {"data": {"items": items}}, st.lists(JSON, max_size=3)))
def test_any_json_becomes_a_table_or_an_error(record_of, value):
    with suppress(ConversionError):
        build_values(decode(record_of(LINES), parse_json("t", json.dumps(value).encode(), "UTF-8")))


@settings(max_examples=300)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:0123456789.eE+-truefalsn\\ ', max_size=60).map(str.encode))
def test_any_bytes_are_json_or_an_error(data):
    for charset in ("UTF-8", "EUC-KR", "CP949"):
        with suppress(ConversionError):
            parse_json("t", data, charset)


KINDS = {
    "an(8)": st.text(alphabet="ABab09-_/", min_size=1, max_size=8),
    "n(6)": st.text(alphabet="0123456789", min_size=1, max_size=6),
    "ah(6)": st.text(alphabet="가나힣 aZ'\"\\\\{}", min_size=1, max_size=6).map(str.strip),
    "decimal(9,2)": st.integers(-(10**9) + 1, 10**9 - 1).map(lambda number: shorten(Decimal(number).scaleb(-2))),
    "boolean": st.sampled_from(["true", "false"]),
    "date DD.MM.YYYY": st.dates().filter(lambda day: day.year > 1970).map(lambda day: f"{day:%Y%m%d}"),
    "date epoch_ms": st.dates().filter(lambda day: day.year > 1970).map(lambda day: f"{day:%Y%m%d}"),
    "time hh:mm:ss": st.times().map(lambda clock: f"{clock:%H%M%S}"),
    "month YYYY-MM": st.dates().filter(lambda day: day.year > 1970).map(lambda day: f"{day:%Y%m}"),
}


def shorten(number):
    text = f"{number:f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


@settings(max_examples=150)
@given(st.data())
def test_any_record_reads_what_a_request_of_it_writes(items_of, record_of, data):
    paths = data.draw(st.lists(st.sampled_from(["", " at o.{}", " at o.p.{}", " at q.{}"]), min_size=1, max_size=6))
    kinds = [data.draw(st.sampled_from(sorted(KINDS))) for _ in paths]
    pairs = enumerate(zip(kinds, paths, strict=True))
    lines = [f"f{index} {kind}{path.format(f'x{index}')}" for index, (kind, path) in pairs]
    values = {f"f{index}": data.draw(KINDS[kind]) for index, kind in enumerate(kinds)}
    plans = tuple(compile_field("x", item, {}, []) for item in items_of(lines))
    request = write_request("t", RequestPlan("POST", "/a", (), (), plans, "UTF-8"), values.get)
    table = decode(record_of(lines), parse_json("t", request.body or b"{}", "UTF-8"))
    assert build_values(table) == values
