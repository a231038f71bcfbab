"""Reads telegrams without their call, for tools: which message a telegram is, its values, and the answer it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from relay.policy.mediation.conversion import Call, Conversion
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.inspection import build_values
from relay.policy.mediation.link import Header, Link
from relay.policy.mediation.located_values import LocatedValue, find_open_names, locate_values
from relay.policy.mediation.paging.collection import Answer, PageCollection
from relay.policy.mediation.paging.seal import CursorSeal, Position, compute_binding
from relay.policy.mediation.telegram.decoding import Decoder, Table
from relay.policy.mediation.telegram.plan import MessagePlan

TOOL_SEAL: Final = CursorSeal(b"tools of the relay: no cursor of a real call is sealed with this")
"""The seal of answers that tools print. It is no secret: such cursors are opened again at once."""


class Side(StrEnum):
    """What a telegram is."""

    REQUEST = "request"
    RESPONSE = "response"
    LINE = "line management"
    UNKNOWN = "header"


@dataclass(slots=True)
class ReadTelegram:
    """One telegram as far as it could be read. `error` is the first fault; `values` are the fields before it.

    `conversion` is None for line management and unknown transaction codes: then only the header is read.
    """

    data: bytes
    side: Side
    header: Header | None
    conversion: Conversion | None = None
    values: list[LocatedValue] = field(default_factory=list)
    table: Table | None = None
    error: ConversionError | None = None

    @property
    def name(self) -> str:
        """The name of the message, as errors have it."""
        return f"{self.conversion.name} {self.side}" if self.conversion is not None else str(self.side)


def split_telegrams(link: Link, data: bytes) -> list[bytes]:
    """Returns the telegrams of a stream. Raises ConversionError for garbage, and for an incomplete one at its end."""
    reader = link.open_reader()
    telegrams = reader.feed(data)
    reader.feed(b"")
    if reader.pending:
        start = len(data) - reader.pending
        head = data[start : start + link.framing.end]
        if len(head) < link.framing.end:
            raise ConversionError("frame", start, "length", f"{link.framing.end} bytes, of which {len(head)} are there")
        missing = link.framing.read_size(head) - reader.pending
        raise ConversionError("frame", len(data), "end", f"{missing} more bytes, as the length says")
    return telegrams


def find_message(
    link: Link, conversions: Sequence[Conversion], header: Header, side: Side | None = None
) -> tuple[Side, Conversion | None]:
    """Returns which message of `conversions` a telegram with this header is.

    A response comes before a request where the header does not tell them apart. `side` decides it otherwise.
    """
    if header.line is not None:
        return Side.LINE, None
    kinds = {Side.REQUEST: link.settings.kinds.request, Side.RESPONSE: link.settings.kinds.response}
    for each, kind in reversed(kinds.items()):
        if (side is not None and each is not side) or (side is None and "kind" in link.names and header.kind != kind):
            continue
        for conversion in conversions:
            code = conversion.code if each is Side.REQUEST else conversion.response_code
            if len(conversions) == 1 or "code" not in link.names or header.code == code:
                return each, conversion
    return Side.UNKNOWN, None


def read_telegram(link: Link, conversions: Sequence[Conversion], data: bytes, side: Side | None = None) -> ReadTelegram:
    """Returns a telegram with as many of its values as can be read. Raises nothing.

    Where the header does not tell requests from responses, it is what it can be decoded as, a response first.
    """
    try:
        header = link.read_header(data)
    except ConversionError as error:
        return ReadTelegram(data, Side.UNKNOWN, None, error=error)
    if side is None and "kind" not in link.names:
        response = _read_side(link, conversions, data, header, Side.RESPONSE)
        request = response if _is_known(response) else _read_side(link, conversions, data, header, Side.REQUEST)
        return request if request.error is None else response
    return _read_side(link, conversions, data, header, side)


def _is_known(response: ReadTelegram) -> bool:
    """Whether a telegram is a response with a response code that the tables have."""
    conversion, table = response.conversion, response.table
    if response.error is not None or conversion is None or table is None:
        return False
    return table.get(conversion.codes.field) in conversion.codes.codes


def _read_side(
    link: Link, conversions: Sequence[Conversion], data: bytes, header: Header, side: Side | None
) -> ReadTelegram:
    kind, conversion = find_message(link, conversions, header, side)
    telegram = ReadTelegram(data, kind, header, conversion)
    plan, expected = _find_plan(link, telegram)
    try:
        _read_values(telegram, plan, expected)
    except ConversionError as error:
        telegram.error = error
    if telegram.table is not None:
        names = find_open_names(link.settings, plan.parts)
        values = locate_values(plan, telegram.table, data, names | find_paging_names(conversion))
        end = len(data) if telegram.error is None else telegram.error.offset
        telegram.values = [value for value in values if value.offset < end or not telegram.error]
    return telegram


def find_paging_names(conversion: Conversion | None) -> frozenset[str]:
    """Returns the fields that say whether there are more rows."""
    return frozenset(conversion.paging.more if conversion is not None and conversion.paging is not None else ())


def _find_plan(link: Link, telegram: ReadTelegram) -> tuple[MessagePlan, dict[str, str]]:
    """Returns the plan of a telegram and the values that it must have."""
    conversion = telegram.conversion
    if conversion is None:
        return (link.line if telegram.side is Side.LINE and link.line is not None else link.header), {}
    if telegram.side is Side.REQUEST:
        return conversion.request, {"kind": conversion.kinds.request, "code": conversion.code}
    return conversion.response, {"kind": conversion.kinds.response, "code": conversion.response_code}


def _read_values(telegram: ReadTelegram, plan: MessagePlan, expected: Mapping[str, str]) -> None:
    """Decodes a telegram into its table, the header first. Raises ConversionError; the table has what came before."""
    decoder = Decoder(telegram.name, telegram.data, expected)
    telegram.table = decoder.decode_header(plan)
    if telegram.side is Side.UNKNOWN or (telegram.side is Side.RESPONSE and is_bodiless(telegram)):
        return
    decoder.decode_body(plan, telegram.table)


def is_bodiless(telegram: ReadTelegram) -> bool:
    """Whether the body of a response is not decoded: its code is a failure, or it is a header alone."""
    conversion = telegram.conversion
    if conversion is None or not conversion.codes.is_in_header:
        return False
    try:
        return conversion.decode_response(telegram.data, {}).table is None
    except ConversionError:
        return False


def build_telegram_values(telegram: ReadTelegram) -> dict[str, Any]:
    """Returns the values of a telegram by name; groups are lists of such mappings."""
    return {} if telegram.table is None else build_values(telegram.table)


def build_single_answer(conversion: Conversion, data: bytes) -> Answer:
    """Returns what one response telegram becomes if the page ends with it. Raises ConversionError."""
    collection = PageCollection(conversion, Call("", {}), TOOL_SEAL)
    collection.accept(data)
    collection.stop()
    return collection.build_answer()


def open_position(cursor: str, call: Call, conversion: Conversion) -> Position:
    """Returns the position of a next_page that TOOL_SEAL has sealed."""
    binding = compute_binding(call.consent, call.org_code, conversion.name, call.parameters)
    return TOOL_SEAL.open(cursor, binding)
