"""Customers, data requests and response bodies: paging, counts, and values as JSON strings (첨부2)."""

import base64
import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from relay.domain.api import Api, Field

MAX_PAGE_ROWS: Final = 20
"""Maximum rows of a page of a sandbox institution, whatever `limit` says (규격 1.6 allows smaller pages)."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A fictitious customer. `number` is the seed of all their data; `since` is the day they became a customer."""

    number: int
    name: str
    born: date
    since: date


CUSTOMERS: Final = (
    Customer(1, "김가람", date(1985, 3, 14), date(2015, 4, 6)),
    Customer(2, "이나래", date(1992, 11, 2), date(2018, 9, 17)),
    Customer(3, "박다온", date(1971, 7, 29), date(2009, 1, 21)),
)


@dataclass(frozen=True, slots=True)
class DataRequest:
    """A data request to an institution: API, industry, customer, parameters and day."""

    api: Api
    industry: str
    customer: Customer
    params: Mapping[str, str]
    today: date

    def build_random(self, *subject: object) -> random.Random:
        """Returns a generator seeded by industry, customer and `subject`."""
        return build_random(self.industry, self.customer.number, *subject)


def build_random(*subject: object) -> random.Random:
    """Returns a generator seeded by `subject`; the same subject gives the same numbers."""
    text = "/".join(str(part) for part in subject)
    return random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311 - test data, not secrets


class ApiError(Exception):
    """The institution rejects a request with an HTTP status and an rsp_code of the standard."""

    def __init__(self, status: int, rsp_code: str, rsp_msg: str) -> None:
        super().__init__(rsp_code)
        self.status = status
        self.rsp_code = rsp_code
        self.rsp_msg = rsp_msg


DataHandler = Callable[[DataRequest], dict[str, Any]]
"""Returns the body fields of one API as Python values, with whole lists. A field with the value None is omitted."""


def answer(handlers: Mapping[str, DataHandler], request: DataRequest) -> dict[str, Any]:
    """Returns the response body: the fields of the handler, cut to a page and formatted by the standard.

    Raises ApiError when the handler does, or when `next_page` is not a cursor of this list.
    """
    values = handlers[request.api.api_id](request)
    values = _cut_page(request, values)
    # Handlers keep no time stamps. The standard allows 0 in that case, on first pages only (규격 1.7).
    timestamp = None if request.params.get("next_page") else 0
    body = {"rsp_code": "00000", "rsp_msg": "성공", **values, "search_timestamp": timestamp}
    return _format_fields(request.api.response.body, body)


def get_page_number(params: Mapping[str, str]) -> int:
    """Returns which page of a list the parameters request, from 1. An invalid cursor counts as the first page."""
    limit, cursor = params.get("limit", ""), params.get("next_page", "")
    try:
        start = int.from_bytes(base64.urlsafe_b64decode(cursor)[:3], "big")
        return start // min(int(limit), MAX_PAGE_ROWS) + 1
    except (ValueError, ZeroDivisionError):
        return 1


def _cut_page(request: DataRequest, values: dict[str, Any]) -> dict[str, Any]:
    limit = request.params.get("limit")
    list_name = next((field.name for field in request.api.response.body if field.type == "array"), None)
    if limit is None or list_name is None:
        return values
    if not limit.isdecimal() or int(limit) == 0:
        raise ApiError(400, "40001", "요청 파라미터 오류: limit")
    start = _parse_cursor(request)
    stop = start + min(int(limit), MAX_PAGE_ROWS)
    rows = values[list_name]
    return values | {
        list_name: rows[start:stop],
        "next_page": _build_cursor(request, stop) if stop < len(rows) else None,
    }


def _build_cursor(request: DataRequest, start: int) -> str:
    digest = hashlib.sha256(f"{request.api.api_id}/{request.customer.number}/{start}".encode()).digest()[:6]
    return base64.urlsafe_b64encode(start.to_bytes(3, "big") + digest).decode()


def _parse_cursor(request: DataRequest) -> int:
    cursor = request.params.get("next_page")
    if cursor is None:
        return 0
    try:
        start = int.from_bytes(base64.urlsafe_b64decode(cursor)[:3], "big")
    except ValueError as error:
        raise ApiError(400, "40001", "요청 파라미터 오류: next_page") from error
    if cursor != _build_cursor(request, start):
        raise ApiError(400, "40001", "요청 파라미터 오류: next_page")
    return start


def _format_fields(fields: tuple[Field, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `values` in the order of the catalogue, as strings, with counts of lists and without missing values."""
    body: dict[str, Any] = {}
    for index, field in enumerate(fields):
        if field.type == "array":
            rows = values.get(field.name)
            if rows is not None:
                body[field.name] = [_format_fields(field.fields, row) for row in rows]
            continue
        value = values.get(field.name)
        if value is None and field.name.endswith("_cnt") and index + 1 < len(fields):
            list_field = fields[index + 1]
            if list_field.type == "array" and values.get(list_field.name) is not None:
                value = len(values[list_field.name])
        if value is not None:
            body[field.name] = _format_value(field, value)
    return body


def _format_value(field: Field, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.strftime("%Y%m%d%H%M%S")
        case date():
            return value.strftime("%Y%m%d")
        case Decimal() | float() | int() if field.type == "F":
            return f"{Decimal(value):.{field.length.split(',')[1]}f}"
        case _:
            return str(value)
