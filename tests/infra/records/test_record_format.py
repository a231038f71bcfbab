"""Both forms of the record formatter, where the compiled one is there."""

import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.domain.exchange import Exchange
from relay.infra.records.access_log import format_records as format_selected
from relay.infra.records.record_format import format_records

FORMS = list(dict.fromkeys([format_records, format_selected]))
"""The interpreted form, and the selected one if that is the compiled form."""
TEXTS = ("tran_id", "operator", "client_id", "provider", "industry", "api_code", "api_type")
TEXTS += ("rsp_code", "error", "reason", "detail")
NUMBERS = ("status", "provider_status", "attempts", "bytes_in", "bytes_out", "repeated")
TIMES = ("received", "total", "upstream", "first_byte", "provider_started")
HALVES = st.builds(lambda thousandths, up: math.nextafter((thousandths + 0.5) / 1e6, up),
                   st.integers(0, 10**7), st.sampled_from([0.0, math.inf]))  # fmt: skip
EXACT_HALVES = st.integers(0, 2**40).map(lambda number: number / 16_384)


def exchange_of(**fields):
    exchange = Exchange(0.0, 1_700_000_000.0)
    for name, value in fields.items():
        setattr(exchange, name, value)
    return exchange


def result_of(form, exchanges):
    try:
        return form(exchanges)
    except (ValueError, OverflowError) as error:
        return type(error)


@pytest.fixture(params=FORMS, ids=lambda form: form.__module__)
def form(request):
    return request.param


def test_a_record_is_one_line_of_json_in_milliseconds(form, exchange):
    served = {"tran_id": "T", "provider": "bank", "status": 200, "attempts": 1, "bytes_in": 5, "bytes_out": 7}
    closed = exchange(
        started=1.0, provider_started=1.001, first_byte=1.002, provider_ended=1.003, ended=1.005, **served
    )
    text = form([closed])
    assert (text.count(b"\n"), text[-1:]) == (1, b"\n")
    record = json.loads(text)
    assert (record["total_ms"], record["relay_ms"], record["upstream_ms"], record["first_byte_ms"]) == (5, 3, 2, 1)
    assert (record["org_code"], record["bytes_in"], record["bytes_out"], record["time"]) == (
        "bank",
        5,
        7,
        1_700_000_000,
    )


@pytest.mark.parametrize("before", [0.5, 0.0009, 0.0004, 0.000001])
def test_the_end_of_a_record_is_never_rounded_up(form, exchange, before):
    closed = exchange(started=1.0, ended=2.0 - before)
    assert 1_700_000_000 <= json.loads(form([closed]))["ended"] < 1_700_000_001


def test_records_of_a_batch_are_in_order(form):
    exchanges = [exchange_of(tran_id=str(number), detail="x" * 5000 * (number % 2)) for number in range(300)]
    records = [json.loads(line) for line in form(exchanges).splitlines()]
    assert [record["tran_id"] for record in records] == [str(number) for number in range(300)]
    assert [len(record["detail"]) for record in records] == [0, 5000] * 150


def test_an_empty_batch_has_no_record(form):
    assert form([]) == b""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0625, b"0.062"), (0.1875, b"0.188"), (0.0005, b"0.001"), (1.0005, b"1.000"), (5e11, b"500000000000.000")],
)
def test_a_half_is_rounded_by_its_binary_value_or_to_even(form, seconds, text):
    assert form([exchange_of(received=seconds)]).startswith(b'{"time":%s,' % text)


@pytest.mark.parametrize(("seconds", "text"), [(-0.0, b"-0.000"), (-1e-9, b"-0.000"), (1e15, b"1" + b"0" * 18)])
def test_times_of_any_sign_and_size_are_written(form, seconds, text):
    assert b'"upstream_ms":%s' % text in form([exchange_of(upstream=seconds)])


@pytest.mark.parametrize("text", ["지원-103", "\udc80", "x" * 100_000, "é", "\x7f", "\U0001f600"], ids=ascii)
def test_any_text_is_written(form, text):
    assert json.loads(form([exchange_of(tran_id="before"), exchange_of(api_code=text)]).splitlines()[1]) == {
        **json.loads(form([exchange_of()])),
        "api_code": text,
    }


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 10**30, -(2**63), -(2**63) - 1])
def test_any_number_is_written(form, number):
    record = json.loads(form([exchange_of(bytes_in=number, status=number)]))
    assert (record["bytes_in"], record["status"]) == (number, number)


@pytest.mark.parametrize(("received", "error"), [(math.nan, ValueError), (math.inf, OverflowError)])
def test_a_time_that_is_no_number_is_an_error(form, received, error):
    with pytest.raises(error):
        form([exchange_of(received=received)])


times = st.one_of(st.floats(0, 100), st.floats(0, 2e9), HALVES, EXACT_HALVES, st.floats())
numbers = st.one_of(st.integers(0, 10**6), st.integers(-(2**65), 2**65))
texts = st.one_of(st.text("ABCZ0123456789-_", max_size=30), st.text(max_size=20))


@given(
    st.lists(
        st.tuples(
            st.lists(texts, min_size=len(TEXTS), max_size=len(TEXTS)),
            st.lists(numbers, min_size=len(NUMBERS), max_size=len(NUMBERS)),
            st.lists(times, min_size=len(TIMES), max_size=len(TIMES)),
        ),
        max_size=4,
    )
)
@settings(max_examples=400)
@example([([""] * len(TEXTS), [0] * len(NUMBERS), [0.0005, 0.0000005, 0.0, 0.0, 0.0])])
def test_every_form_returns_the_same_bytes(batch):
    exchanges = [
        exchange_of(**dict(zip(TEXTS + NUMBERS + TIMES, [*words, *counts, *seconds], strict=True)))
        for words, counts, seconds in batch
    ]
    first, *others = [result_of(form, exchanges) for form in FORMS]
    assert all(result == first for result in others)
    assert type(first) is type or first == b"".join(format_records([exchange]) for exchange in exchanges)
