"""Collects one page of a response from those of the core: a state machine that says which request to send next.

    collection = PageCollection(conversion, call, seal)
    while not collection.is_complete:
        request = collection.build_request(unique_number, now)
        collection.accept(response)
    answer = collection.build_answer()

Requests and responses are telegrams, or HTTP messages with JSON. Rows of a response beyond the limit are not lost: the
next page sends the same request again and skips the rows that this page has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from relay.domain.api import SUCCESS
from relay.domain.fault import FAULTS, Refusal
from relay.policy.mediation.conversion import (
    Call,
    DecodedResponse,
    PageConversion,
    RspCodes,
    build_context,
)
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.mapping.expressions import Frame
from relay.policy.mediation.mapping.rendering import ObjectOutput, Renderer, quote, quote_name
from relay.policy.mediation.paging.continuation import ReadResponse, place_request, read_next_key
from relay.policy.mediation.paging.seal import CursorSeal, Position, compute_binding
from relay.policy.mediation.settings import ListPaging
from relay.policy.mediation.telegram.decoding import Table

_MAX_MESSAGE: Final = 450
"""rsp_msg is AH(450)."""

_REPEATED_ROWS: Final = 10
"""So many rows that equal those of the response before are the same rows: the core does not know its parameter."""

_MAX_ROWS: Final = 500
"""The largest limit of a page."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to the operator. `core_code` is the response code of the core, for the record."""

    status: int
    rsp_code: str
    body: bytes
    core_code: str = ""


RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class PageCollection(Generic[RequestT, ResponseT]):
    """The conversion of one call.

    Raises Refusal (40001) for a next_page of another call and for a limit that is none. Raises ValueError without
    `seal` for an API with pages.
    """

    def __init__(
        self, conversion: PageConversion[RequestT, ResponseT], call: Call, seal: CursorSeal | None = None
    ) -> None:
        if conversion.paged_list and seal is None:
            raise ValueError(f"{conversion.name} has pages and needs a seal")
        self._conversion = conversion
        self._paged = conversion.paged_list
        self._call = call
        self._seal = seal
        self._name = conversion.response_name
        self._renderer = Renderer(self._name)
        self._limit = _read_limit(call.parameters.get("limit", ""))
        self._binding = compute_binding(call.consent, call.org_code, conversion.name, call.parameters)
        self._position: Position | None = self._open(call.parameters.get("next_page", ""))
        self._keys = {self._position.key} if self._position else set()
        self._context: Mapping[str, str] = {}
        self._requests = self._page_size = 0
        self._first: DecodedResponse | None = None
        self._rows: list[bytes] = []
        self._last_rows: list[bytes] = []
        self._lists: dict[str, list[bytes]] = {}
        self.is_complete = False

    def _open(self, cursor: str) -> Position:
        if not cursor or self._seal is None:
            return Position()
        return self._seal.open(cursor, self._binding)

    def build_request(self, unique_number: str, now: float) -> RequestT:
        """Returns the next request to send. Raises ConversionError when a parameter does not fit in it."""
        context = build_context(self._call, unique_number, now, self._requests + 1)
        paging, position = self._conversion.paging, self._position
        if paging is not None and position is not None:
            rows = self._limit - len(self._rows) + position.skip
            self._page_size = place_request(context, paging, position.key, rows)
        self._context = context
        return self._conversion.encode_request(context)

    def accept(self, received: ResponseT) -> None:
        """Takes the response to the last request. Raises ConversionError when it cannot be converted."""
        response = self._conversion.decode_response(received, self._context)
        self._requests += 1
        if self._first is None or not response.is_success:
            self._first = response
        table, paging = response.table, self._conversion.paging
        if table is not None and self._first is response:
            self._render_lists(table)
        if table is None or not self._paged:
            self._position, self.is_complete = None, True
        else:
            self._add_rows(table, paging)

    def stop(self) -> None:
        """Ends the page before its limit, for example for a deadline: the next page continues where it ends.

        Without any response there is no page, and nothing changes.
        """
        self.is_complete = self.is_complete or self._first is not None

    def _render_lists(self, table: Table) -> None:
        for entry in self._conversion.output.lists:
            if entry.name != self._paged:
                self._lists[entry.name] = self._renderer.render_rows(entry, Frame(table))[0]

    def _add_rows(self, table: Table, paging: ListPaging | None) -> None:
        position = self._position or Position()
        entry = next(entry for entry in self._conversion.output.lists if entry.name == self._paged)
        rows, _ = self._renderer.render_rows(entry, Frame(table))
        response = ReadResponse(self._name, table, entry.rows, position.key, self._page_size, len(rows))
        if rows == self._last_rows and len(rows) >= _REPEATED_ROWS:
            place = table.find_offset(entry.rows, 0)
            raise ConversionError(
                self._name, place, response.locate(entry.rows), "other rows than in the response before"
            )
        self._last_rows = rows
        end = position.skip + self._limit - len(self._rows)
        self._rows += rows[position.skip : end]
        if end < len(rows):
            self._position, self.is_complete = Position(position.key, end), True
            return
        key = None if paging is None else read_next_key(paging, response)
        if key is None or paging is None:
            self._position, self.is_complete = None, True
            return
        if key in self._keys:
            place = table.find_offset(paging.key[0], 0)
            raise ConversionError(self._name, place, response.locate(paging.key[0]), "a continuation key that moves on")
        self._keys.add(key)
        self._position = Position(key)
        self.is_complete = len(self._rows) >= self._limit or self._requests >= paging.max_requests

    def build_answer(self) -> Answer:
        """Returns the response to the operator, once the page is complete. Raises ConversionError."""
        response = self._first
        assert response is not None and self.is_complete  # noqa: S101, PT018 - the order of the calls
        if not response.is_success:
            return build_failure(response, self._conversion.rsp_codes)
        pieces = [_build_head(SUCCESS, response.text, self._conversion.rsp_codes)]
        output = self._conversion.output
        if response.table is None:
            self._check_bodiless()
        else:
            pieces += self._render_scalars(response.table)
        if self._position is not None and self._seal is not None:
            pieces.append(b'"next_page":' + quote(self._seal.seal(self._position, self._binding)))
        for entry in output.lists:
            rows = self._rows if entry.name == self._paged else self._lists.get(entry.name, [])
            if entry.count:
                pieces.append(quote_name(entry.count) + b':"%d"' % len(rows))
            if rows or entry.is_required:
                pieces.append(quote_name(entry.name) + b":[" + b",".join(rows) + b"]")
        return Answer(200, SUCCESS, b"{" + b",".join(pieces) + b"}", response.core_code)

    def _render_scalars(self, table: Table) -> list[bytes]:
        """Returns the members of the body that are no lists. Later pages have no search_timestamp (규격 2.3)."""
        fields = self._conversion.output.fields
        if self._call.parameters.get("next_page"):
            fields = tuple(field for field in fields if field.name != "search_timestamp")
        text = self._renderer.render(ObjectOutput(fields), Frame(table))[0]
        return [text[1:-1]] if len(text) > len(b"{}") else []

    def _check_bodiless(self) -> None:
        """Raises ConversionError when the answer needs values, but the core has sent its response code alone."""
        required = next((field for field in self._conversion.output.fields if field.is_required), None)
        if required is not None:
            raise ConversionError(self._name, -1, required.name, "a body: the standard requires this field")


def _read_limit(text: str) -> int:
    """Returns the limit of a page. Raises Refusal (40001): requests may be checked less strictly than this needs."""
    if not text:
        return _MAX_ROWS
    if not (text.isascii() and text.isdigit() and len(text) < len("1000") and 1 <= int(text) <= _MAX_ROWS):
        raise Refusal(FAULTS["parameter_malformed"], f"limit (1-{_MAX_ROWS})")
    return int(text)


def _build_head(rsp_code: str, text: str, rsp_codes: RspCodes) -> bytes:
    message = text.encode()[:_MAX_MESSAGE].decode(errors="ignore") or rsp_codes[rsp_code][1]
    return b'"rsp_code":' + quote(rsp_code) + b',"rsp_msg":' + quote(message)


def build_failure(response: DecodedResponse, rsp_codes: RspCodes) -> Answer:
    """Returns the answer for a response of the core without data: a failure, or UP_TO_DATE."""
    body = b"{" + _build_head(response.rsp_code, response.text, rsp_codes) + b"}"
    return Answer(rsp_codes[response.rsp_code][0], response.rsp_code, body, response.core_code)
