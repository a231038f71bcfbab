"""The core itself: takes the bytes of a request and returns those of its response. `server` transports them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

from mydata_sandbox.telegram_core.formats import Format
from mydata_sandbox.telegram_core.messages import (
    BANK_CODE,
    BROKEN,
    HEADER,
    LENGTH,
    LINE,
    LINE_REQUEST,
    LINE_RESPONSE,
    MESSAGES,
    NO_ROWS,
    OK,
    REQUEST,
    RESPONSE,
    RESPONSE_CODES,
    Fields,
    Message,
    Rows,
)
from mydata_sandbox.world.ci import CUSTOMER_BY_CI
from mydata_sandbox.world.model import ApiError, DataHandler, DataRequest
from relay.domain.api import Catalogue
from relay.domain.korea import KOREA

INDUSTRY: Final = "bank"
_NO_CUSTOMER: Final = ApiError(404, "40403", "정보주체가 존재하지 않습니다")
Values = Mapping[str, Any]


def now_in_korea() -> datetime:
    """Returns the time in Korea."""
    return datetime.now(KOREA)


class TelegramCore:
    """The core of a savings bank, with the accounts of the world. `today` returns the last day with data."""

    def __init__(
        self,
        org_code: str,
        catalogue: Catalogue,
        handlers: Mapping[str, DataHandler],
        today: Callable[[], date],
        now: Callable[[], datetime] = now_in_korea,
    ) -> None:
        self.org_code = org_code
        self._catalogue = catalogue
        self._handlers = handlers
        self._today = today
        self._now = now

    def respond(self, telegram: bytes) -> bytes | None:
        """Returns the response to a telegram, with its length; None for a response, which needs none."""
        header, body = _read(HEADER, telegram[LENGTH:])
        if header["msg_type"] == LINE_REQUEST:
            return self._build(header, LINE_RESPONSE, OK, body)
        if header["msg_type"] != REQUEST:
            return None
        message = MESSAGES.get(header["tran_code"])
        if message is None or (header["bank_code"], header["org_code"]) != (BANK_CODE, self.org_code):
            return self._build(header, RESPONSE, BROKEN)
        try:
            return self._build(header, RESPONSE, *self._answer(message, _read(message.request, body)[0]))
        except ApiError as error:
            return self._build(header, RESPONSE, RESPONSE_CODES.get(error.rsp_code, BROKEN))

    def open_line_test(self, number: int) -> bytes:
        """Returns a telegram that tests the line: the core of this bank sends one when a line opens."""
        header = {"tran_code": "LINE", "unique_no": f"{number:010}"}
        return self._build(header, LINE_REQUEST, "", _write(LINE, {"mgmt_code": "TEST"}))

    def _answer(self, message: Message, request: Values) -> tuple[str, bytes]:
        """Returns response code and body. Raises ApiError."""
        customer = CUSTOMER_BY_CI.get(request["ci"])
        if customer is None:
            raise _NO_CUSTOMER
        params = {name: value for name, value in request.items() if value}
        api = self._catalogue.apis[message.api_id]
        values = self._handlers[message.api_id](DataRequest(api, INDUSTRY, customer, params, self._today()))
        fixed = _write(message.response, {**request, **values}, message.codes)
        if message.rows is None:
            return OK, fixed
        rows = values[message.rows.name]
        body = _write_page(message, request, rows) if message.rows.page else _write_rows(message, message.rows, rows)
        return OK if rows else NO_ROWS, fixed + body

    def _build(self, header: Values, kind: str, code: str, body: bytes = b"") -> bytes:
        values = {
            **header,
            "msg_type": kind,
            "bank_code": BANK_CODE,
            "org_code": self.org_code,
            "sent_at": self._now(),
            "resp_code": code,
        }
        telegram = _write(HEADER, values) + body
        return b"%0*d" % (LENGTH, LENGTH + len(telegram)) + telegram


def _read(fields: Fields, data: bytes) -> tuple[dict[str, str], bytes]:
    """Returns the values of the fields, and the bytes after them."""
    values: dict[str, str] = {}
    for name, form in fields.items():
        values[name], data = form.read(data[: form.length]), data[form.length :]
    return values, data


def _write(fields: Fields, values: Values, codes: Mapping[str, Mapping[Any, str]] | None = None) -> bytes:
    return b"".join(_write_field(form, values.get(name), (codes or {}).get(name)) for name, form in fields.items())


def _write_field(form: Format, value: object, codes: Mapping[Any, str] | None) -> bytes:
    return form.write(value if codes is None or value is None else codes[str(value)])


def _write_page(message: Message, request: Values, rows: list[Values]) -> bytes:
    """Returns a part of a list: whether there is more, the number to continue with, and the rows from `next_no` on."""
    assert message.rows is not None  # noqa: S101 - the caller has checked
    start = int(request["next_no"] or 0)
    stop = start + min(int(request["row_limit"] or message.rows.page), message.rows.page)
    more = stop < len(rows)
    continuation = f"{'Y' if more else 'N'}{stop if more else 0:06}".encode()
    return continuation + _write_rows(message, message.rows, rows[start:stop])


def _write_rows(message: Message, group: Rows, rows: list[Values]) -> bytes:
    count = b"" if group.count is None else group.count.write(len(rows))
    blanks = b" " * (sum(form.length for form in group.fields.values()) * max(group.times - len(rows), 0))
    return count + b"".join(_iter_rows(message, group, rows)) + blanks


def _iter_rows(message: Message, group: Rows, rows: list[Values]) -> Iterator[bytes]:
    for row in rows:
        inner = b"" if group.inner is None else _write_rows(message, group.inner, row[group.inner.name])
        yield _write(group.fields, row, message.codes) + inner
