"""The compiled link of an institution: headers of telegrams, and line management (회선 관리)."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from relay.domain.api import SUCCESS
from relay.policy.mediation.errors import ConversionError, ValueFault
from relay.policy.mediation.settings import TelegramLink
from relay.policy.mediation.telegram.decoding import Decoder, Table
from relay.policy.mediation.telegram.encoding import Encoder
from relay.policy.mediation.telegram.framing import FrameReader, Framing
from relay.policy.mediation.telegram.plan import FieldPlan, MessagePlan, iter_fields

LineAction = Literal["start", "test", "end"]


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a telegram says. `line` is the action of line management, `is_answer` whether it answers one.

    `unique_number` matches a response with its request; "" when the header has none. `response_code` is that of an
    answer of line management, "" for none.
    """

    kind: str
    code: str
    unique_number: str
    line: LineAction | None = None
    is_answer: bool = False
    response_code: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """The compiled `link.yaml`. `header` is the plan of headers alone, `line` that of line management.

    `ok` is the response code of answers to the core's line management.
    """

    settings: TelegramLink
    framing: Framing
    header: MessagePlan
    line: MessagePlan | None
    names: Mapping[str, str]
    ok: str = ""

    @property
    def unique_digits(self) -> int:
        """The digits of unique numbers; 0 when the header has none."""
        plans = [plan for plan in iter_fields(self.header.header) if plan.variable == "unique_number"]
        return plans[0].codec.length if plans else 0

    def open_reader(self) -> FrameReader:
        """Returns a reader of the telegrams of one connection."""
        return FrameReader(self.framing)

    def read_header(self, data: bytes) -> Header:
        """Returns what the header of a telegram says. Raises ConversionError when it cannot be read."""
        table = Decoder("header", data, {}).decode_header(self.header)
        kind, code, unique_number = (table.get(self.names.get(name, "")) for name in ("kind", "code", "unique_number"))
        management = self.settings.management
        if management is None or not management.has_telegram(kind, code, self.settings.kinds):
            return Header(kind, code, unique_number)
        action = self._read_action(data, table)
        response_code = table.get(self.settings.response_code.field)
        return Header(kind, code, unique_number, action, kind == management.kinds.response, response_code)

    def find_number(self, data: bytes) -> str | None:
        """Returns the unique number of a telegram whose header is broken elsewhere, "" if it cannot be read.

        Returns None for line management, which belongs to no request.
        """
        kind, code, number = (self._read_field(data, variable) for variable in ("kind", "code", "unique_number"))
        management = self.settings.management
        if management is not None and management.has_telegram(kind, code, self.settings.kinds):
            return None
        return number

    def _read_field(self, data: bytes, variable: str) -> str:
        """Returns a field of a header by its variable, "" if there is none or it cannot be read."""
        for plan in iter_fields(self.header.header):
            if plan.variable == variable:
                with suppress(ValueFault, UnicodeDecodeError):
                    return plan.codec.decode([data[plan.offset : plan.offset + plan.codec.length]])[0].decode()
        return ""

    def is_line_success(self, header: Header) -> bool:
        """Whether an answer of line management says success.

        Its response code is that of our own answers (`ok`), one of the table for '00000', or blank.
        """
        code = header.response_code
        return code in {"", self.ok} or self.settings.response_code.codes.get(code) == SUCCESS

    def _read_action(self, data: bytes, table: Table) -> LineAction:
        """Returns the action and adds the body to the table of the header. Raises ConversionError."""
        management, plan = self.settings.management, self.line
        assert management is not None and plan is not None  # noqa: S101, PT018 - the caller has checked
        Decoder("line management", data, {}).decode_body(plan, table)
        code = table.get(management.field)
        for action, value in management.codes.items():
            if code == value:
                return action
        place = table.find_offset(management.field, 0)
        raise ConversionError("line management", place, management.field, "a code of line management")

    def encode_line_request(self, action: LineAction, context: Mapping[str, str]) -> bytes:
        """Returns the telegram that starts, tests or ends a line. Raises ConversionError."""
        management = self.settings.management
        assert management is not None  # noqa: S101 - only links with line management are asked
        return self._encode_line({**context, "kind": management.kinds.request}, management.codes[action], "", "request")

    def answer_line_request(self, header: Header, context: Mapping[str, str]) -> bytes:
        """Returns the answer to a telegram of line management. Raises ConversionError."""
        management = self.settings.management
        assert management is not None and header.line is not None  # noqa: S101, PT018 - see encode_line_request
        values = {**context, "kind": management.kinds.response, "unique_number": header.unique_number}
        values["code"] = header.code
        return self._encode_line(values, management.codes[header.line], self.ok, "answer")

    def _encode_line(self, context: Mapping[str, str], code: str, response_code: str, side: str) -> bytes:
        management, plan = self.settings.management, self.line
        assert management is not None and plan is not None  # noqa: S101, PT018 - the callers have checked
        response_field = self.settings.response_code.field

        def resolve(field: FieldPlan) -> str | None:
            if field.name == management.field:
                return code
            if field.variable:
                return "0" if field.variable == "length" else context.get(field.variable)
            return response_code if field.name == response_field else None

        return self.framing.write_length(Encoder(f"line management {side}", resolve).encode(plan.parts, {}))
