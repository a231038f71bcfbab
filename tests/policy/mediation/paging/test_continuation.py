import pytest

from relay.domain.fault import Refusal
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.paging.continuation import ReadResponse, place_request, read_next_key
from relay.policy.mediation.paging.seal import NEXT_PAGE_FORM
from relay.policy.mediation.settings import NumberedPaging, Paging
from relay.policy.mediation.telegram.decoding import Table

PAGE = NumberedPaging(list="a", by="page", rows=10)
OFFSET = NumberedPaging(list="a", by="offset", rows=10)


def place(paging, key, rows):
    context = {}
    page_size = place_request(context, paging, key, rows)
    return page_size, context


def test_pages_keep_the_size_of_the_first_request():
    assert place(PAGE, (), 4) == (4, {"page": "first", "page_number": "1", "rows": "4"})
    assert place(PAGE, ("3", "4"), 500) == (4, {"page": "next", "page_number": "3", "rows": "4"})
    assert place(PAGE.model_copy(update={"first": 0}), (), 500)[1]["page_number"] == "0"


def test_fixed_pages_have_one_size():
    fixed = PAGE.model_copy(update={"fixed": True})
    assert place(fixed, (), 4) == (10, {"page": "first", "page_number": "1", "rows": "10"})


def test_offsets_count_rows():
    assert place(OFFSET, (), 500) == (10, {"page": "first", "offset": "0", "rows": "10"})
    assert place(OFFSET, ("20",), 3) == (3, {"page": "next", "offset": "20", "rows": "3"})
    from_one = OFFSET.model_copy(update={"first": 1})
    assert [place(from_one, key, 3)[1]["offset"] for key in ((), ("20",))] == ["1", "21"]


@pytest.mark.parametrize(
    ("paging", "key"), [(PAGE, ("x",)), (PAGE, ("1",)), (OFFSET, ("x",)), (Paging(list="a", key=("b",)), ("1", "2"))]
)
def test_a_cursor_of_other_settings_is_refused(paging, key):
    with pytest.raises(Refusal) as caught:
        place(paging, key, 5)
    assert (caught.value.fault.rsp_code, caught.value.detail) == ("40001", NEXT_PAGE_FORM)


def read(paging, key=(), page_size=10, received=10, **values):
    table = Table([-1], {name: [value.encode()] for name, value in values.items()})
    return read_next_key(paging, ReadResponse("t", table, "a", key, page_size, received))


@pytest.mark.parametrize(
    ("paging", "options", "expected"),
    [
        (PAGE, {}, ("2", "10")),
        (PAGE, {"key": ("2", "10")}, ("3", "10")),
        (PAGE, {"received": 9}, None),
        (OFFSET, {"key": ("20",)}, ("30",)),
        (OFFSET, {"received": 0}, None),
        (OFFSET.model_copy(update={"total": "n"}), {"n": "10"}, None),
        (OFFSET.model_copy(update={"total": "n"}), {"n": "10", "key": ("20",), "received": 0}, None),
        (OFFSET.model_copy(update={"total": "n"}), {"n": "0", "received": 0}, None),
        (OFFSET.model_copy(update={"total": "n"}), {"n": "11", "received": 7}, ("7",)),
        (PAGE.model_copy(update={"total": "n"}), {"n": "21", "key": ("2", "10")}, ("3", "10")),
        (PAGE.model_copy(update={"total": "n"}), {"n": "20", "key": ("2", "10")}, None),
        (PAGE.model_copy(update={"pages": "n"}), {"n": "2"}, ("2", "10")),
        (PAGE.model_copy(update={"pages": "n", "first": 0}), {"n": "1"}, None),
        (PAGE.model_copy(update={"more": {"n": ("true",)}}), {"n": "true", "received": 3}, ("2", "10")),
        (PAGE.model_copy(update={"more": {"n": ("true",)}}), {"n": "false"}, None),
        (PAGE.model_copy(update={"more": {"n": ("Y",)}, "last": {"n": ("N", "")}}), {"n": "N"}, None),
        (PAGE.model_copy(update={"more": {"n": ("Y",)}, "last": {"n": ("N", "")}}), {"n": ""}, None),
        (NumberedPaging(list="a", key=("n",)), {"n": "K"}, ("K",)),
        (NumberedPaging(list="a", key=("n",)), {"n": ""}, None),
    ],
)
def test_where_a_list_continues(paging, options, expected):
    assert read(paging, **options) == expected


@pytest.mark.parametrize(
    ("paging", "options", "words"),
    [
        (PAGE, {"received": 11}, "at most 10 rows, as asked for"),
        (PAGE.model_copy(update={"total": "n"}), {"n": ""}, "n: expected a number"),
        (OFFSET.model_copy(update={"total": "n"}), {"n": "9" * 5000}, "n: expected a number"),
        (OFFSET.model_copy(update={"total": "n"}), {"n": "5", "received": 0}, "a: expected rows"),
        (
            Paging(list="a", key=("k",), more={"n": ("Y",)}, last={"n": ("N",)}),
            {"n": "2"},
            "n: expected a value of paging",
        ),
        (PAGE.model_copy(update={"more": {"n": ("Y",)}, "last": {"n": ("N",)}}), {"n": ""}, "more or paging.last"),
        (OFFSET.model_copy(update={"total": "n"}), {"n": "9"}, "n: expected a number that counts what was read"),
        (PAGE.model_copy(update={"pages": "n"}), {"n": "0"}, "n: expected a number that counts what was read"),
        (Paging(list="a", key=("k",), more={"n": ("Y",)}), {"n": "Y"}, "k: expected a continuation key"),
    ],
)
def test_a_list_without_end_is_an_error(paging, options, words):
    with pytest.raises(ConversionError, match=words):
        read(paging, **options)
