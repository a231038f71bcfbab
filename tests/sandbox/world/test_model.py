"""Response bodies: pages, counts, values as strings."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from mydata_sandbox.world.model import CUSTOMERS, MAX_PAGE_ROWS, ApiError, DataRequest, answer, build_random

from relay.domain.api import Api, Field, Message, Presence

ROWS = [{"no": number} for number in range(47)]


def build_field(name: str, kind: str, length: str = "", fields: tuple[Field, ...] = ()) -> Field:
    return Field(name, kind, length, Presence.REQUIRED, name, {}, "", fields)


def build_api(*body: Field) -> Api:
    response = Message((), (), (), (build_field("rsp_code", "aN"), build_field("rsp_msg", "AH"), *body))
    return Api(
        "X-001", "XX01", "x", "x", "GET", "/x", "/x", "v1", ("bank",), (), None, "", Message((), (), (), ()), response
    )


LISTED = build_api(
    build_field("search_timestamp", "N", "14"),
    build_field("next_page", "aNS", "1000"),
    build_field("row_cnt", "N", "3"),
    build_field("row_list", "array", "", (build_field("no", "N", "3"),)),
)


def build_request(api_under_test: Api, customer: int = 0, **params: str) -> DataRequest:
    return DataRequest(api_under_test, "bank", CUSTOMERS[customer], params, date(2026, 11, 20))


def request_page(**params: str) -> dict:
    return answer({"X-001": lambda _: {"row_list": ROWS}}, build_request(LISTED, **params))


@pytest.mark.parametrize("limit", [1, 7, MAX_PAGE_ROWS, 500])
def test_pages_hold_every_row_once(limit):
    rows, cursor = [], {}
    while True:
        body = request_page(limit=str(limit), **cursor)
        assert body["row_cnt"] == str(len(body["row_list"]))
        rows += body["row_list"]
        if "next_page" not in body:
            break
        cursor = {"next_page": body["next_page"]}
    assert rows == [{"no": str(number)} for number in range(47)]


def test_a_page_is_limited_whatever_the_limit():
    assert request_page(limit="500")["row_cnt"] == str(MAX_PAGE_ROWS)


def test_only_first_pages_carry_a_time_stamp():
    first = request_page(limit="5")
    assert first["search_timestamp"] == "0"
    assert "search_timestamp" not in request_page(limit="5", next_page=first["next_page"])


@pytest.mark.parametrize("cursor", ["x", "AAAA", "한글", "AAAFAAAAAAAA", ""])
def test_a_foreign_cursor_is_rejected(cursor):
    with pytest.raises(ApiError) as error:
        request_page(limit="5", next_page=cursor)
    assert (error.value.status, error.value.rsp_code) == (400, "40001")


@pytest.mark.parametrize("limit", ["0", "-1", "many", ""])
def test_a_limit_must_be_a_count(limit):
    with pytest.raises(ApiError):
        request_page(limit=limit)


def test_values_are_formatted_by_the_standard():
    api_under_test = build_api(
        build_field("flag", "Boolean"),
        build_field("day", "DATE", "8"),
        build_field("moment", "DTIME", "14"),
        build_field("money", "F", "18,3"),
        build_field("whole", "F", "18,3"),
        build_field("rate", "F", "7,5"),
        build_field("count", "N", "3"),
        build_field("none", "aN", "3"),
    )
    values = {
        "flag": False,
        "day": date(2026, 1, 2),
        "moment": datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001
        "money": Decimal("-1.5"),
        "whole": 12,
        "rate": Decimal("3.4"),
        "count": 7,
        "none": None,
    }
    assert answer({"X-001": lambda _: values}, build_request(api_under_test)) == {
        "rsp_code": "00000",
        "rsp_msg": "성공",
        "flag": "false",
        "day": "20260102",
        "moment": "20260102030405",
        "money": "-1.500",
        "whole": "12.000",
        "rate": "3.40000",
        "count": "7",
    }


def test_random_numbers_depend_on_the_subject_only():
    assert build_request(LISTED).build_random("a", 1).random() == build_random("bank", 1, "a", 1).random()
    assert (
        build_request(LISTED).build_random("a").random() != build_request(LISTED, customer=1).build_random("a").random()
    )
