from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.korea import KOREA
from relay.policy.mediation.errors import ValueFault
from relay.policy.mediation.json_api.forms import compile_reading, describe_forms, is_form, write_form

MOMENTS = st.integers(31_536_000, 253_370_764_800).map(lambda second: datetime.fromtimestamp(second, UTC))
FORMS = {
    "date": ["YYYYMMDD", "YYYY-MM-DD", "DD/MM/YYYY", "YYYY년MM월DD일", "iso", "epoch_s", "epoch_ms"],
    "datetime": ["YYYYMMDDhhmmss", "YYYY-MM-DD hh:mm:ss", "iso", "epoch_s", "epoch_ms", "hh:mm:ss DD.MM.YYYY"],
    "time": ["hhmmss", "hh:mm:ss"],
    "month": ["YYYYMM", "MM/YYYY"],
}
CUTS = {"date": slice(8), "datetime": slice(14), "time": slice(8, 14), "month": slice(6)}


@given(st.lists(MOMENTS, min_size=1, max_size=4))
def test_what_is_written_in_a_form_is_read_again(moments):
    for kind, forms in FORMS.items():
        values = [f"{moment.year:04}{moment:%m%d%H%M%S}"[CUTS[kind]] for moment in moments]
        for form in forms:
            texts = [write_form(value, kind, form) for value in values]
            assert compile_reading(kind, form)(texts) == [value.encode() for value in values], form


@given(MOMENTS)
def test_moments_are_converted_to_korean_time(moment):
    local = moment.astimezone(KOREA)
    text = moment.isoformat().removesuffix("+00:00")
    expected = f"{local.year:04}{local:%m%d%H%M%S}".encode()
    texts = [f"{text}Z", f"{text}+00:00", f"{text}.125Z"]
    assert compile_reading("datetime", "iso")(texts) == [expected] * 3
    assert compile_reading("datetime", "epoch_s")([str(int(moment.timestamp()))]) == [expected]


def test_a_moment_without_offset_is_korean():
    assert (
        compile_reading("datetime", "iso")(["2026-01-31T10:00", "2026-01-31T10:00:00+09:00"]) == [b"20260131100000"] * 2
    )
    assert compile_reading("time", "hh:mm")(["10:11"]) == [b"101100"]
    assert compile_reading("date", "YYYY-MM-DD hh:mm")(["2026-01-31 10:11"]) == [b"20260131"]


@pytest.mark.parametrize(
    ("kind", "form", "texts"),
    [
        ("date", "YYYY-MM-DD", ["2026-01-31", "2026-1-31"]),
        ("date", "YYYY-MM-DD", ["2026-01-31", "2026/01/31"]),
        ("date", "YYYY-MM-DD", ["2026-01-31", "２０２6-01-3"]),
        ("date", "YYYY-MM-DD", ["2026-01-3", "12026-02-01"]),
        ("datetime", "iso", ["2026-01-31T10:00:00+09:00", "2026-01-31"]),
        ("datetime", "iso", ["2026-01-31T10:00:00+09:00", "2026-W05-6T10:00:00+09:0"]),
        ("datetime", "iso", ["2026-01-31T10:00:00+09:00", "0001-01-01T00:00:00+23:00"]),
        ("datetime", "epoch_s", ["1", "1.5"]),
        ("datetime", "epoch_ms", ["1", "999999999999999"]),
        ("datetime", "epoch_s", ["1", "-1"]),
    ],
)
def test_another_form_is_a_fault_of_its_row(kind, form, texts):
    with pytest.raises(ValueFault) as caught:
        compile_reading(kind, form)(texts)
    assert caught.value.expected == f"a {kind}, {form}"


@pytest.mark.parametrize("text", ["", "2026", "20261301", "2026-01-01"])
def test_a_value_that_is_no_date_is_not_written(text):
    with pytest.raises(ValueFault, match="a date"):
        write_form(text, "date", "epoch_s")


def test_forms_belong_to_types():
    for form, kind in (("YYYY-MM-DD", "date"), ("iso", "datetime"), ("YYYYMM", "month")):
        assert is_form(form, kind)
    for form, kind in (("YYYY-MM", "date"), ("iso", "time"), ("YYYY-YYYY", ""), ("YYYYxMM", ""), ("left", "")):
        assert not is_form(form, kind)
    assert [describe_forms(kind)[:4] for kind in ("date", "month", "time", "an")] == ["YYYY", "YYYY", "hh, ", "none"]
