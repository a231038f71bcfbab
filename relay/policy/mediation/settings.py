"""Models of an institution's telegram files: `link.yaml`, and one file for each API.

All models are sections as in the other settings: problems name the file and the dotted key.
"""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from relay.policy.mediation.telegram.framing import FramingSettings
from relay.policy.mediation.telegram.notation import Code, Items, Name, to_tuple
from relay.policy.settings.scalars import ApiCode, Section, build_error

EMPTY: Literal["empty"] = "empty"
"""In a table of response codes: a success without rows."""

MESSAGE_ROWS: Literal["message"] = "message"
"""As `rows` of a list: the message itself is the only row."""

CustomerCheck = Literal["ci", "unchecked"]
"""How the core knows the customer of a call: by the CI in each request, or not at all."""

RspCodeText = Annotated[
    str, StringConstraints(pattern=r"^([0-9]{5}|empty)$"), Field(description="an rsp_code in quotes, or empty")
]
Codes = Annotated[
    tuple[Code, ...],
    BeforeValidator(
        lambda value: (value,) if isinstance(value, str) else to_tuple(value),
        json_schema_input_type=tuple[Code, ...] | Code,
    ),
]


class Kinds(Section):
    """Message types (전문종별코드) of requests and responses, `$kind` in the header."""

    request: Code = "0200"
    response: Code = "0210"


class ResponseCodes(Section):
    """The field with the response code of the core, and the rsp_code for each; unknown ones are 50005.

    `text` is a field with a message for the customer; without it rsp_msg is the meaning of the rsp_code.
    """

    field: Name
    codes: dict[str, RspCodeText]
    text: Name | None = None


class Management(Section):
    """Line management (회선 관리): telegrams that start, test and end a line, by the code in one of their fields.

    `field` is one of `fields`, or a field of the header that has no value or `= $code`. `ok` is the response code of
    the relay's own answers, by default the first success of `response_code`. `kinds` may be those of data telegrams
    only if the transaction code is `field`.
    """

    kinds: Kinds = Kinds(request="0800", response="0810")
    fields: Items = ()
    field: Name
    codes: dict[Literal["start", "test", "end"], Code]
    ok: Code | None = None

    def shares_kinds(self, kinds: Kinds) -> bool:
        """Whether a message type is also one of data telegrams."""
        return bool({self.kinds.request, self.kinds.response} & {kinds.request, kinds.response})

    def has_telegram(self, kind: str, code: str, kinds: Kinds) -> bool:
        """Whether a telegram is line management; where data telegrams share a type, the transaction code tells."""
        if kind not in {self.kinds.request, self.kinds.response}:
            return False
        return code in self.codes.values() or not self.shares_kinds(kinds)


class TelegramLink(Section):
    """`link.yaml`: what all telegrams of an institution have in common.

    `customer: unchecked` allows requests without `$user_ci`: the core cannot know whose account it serves.
    """

    charset: Literal["EUC-KR", "CP949", "UTF-8"] = "EUC-KR"
    framing: FramingSettings = FramingSettings()
    header: Annotated[Items, Field(min_length=1)]
    customer: CustomerCheck = "ci"
    kinds: Kinds = Kinds()
    response_code: ResponseCodes
    management: Management | None = None


def _read_expression(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value == "omit":
        return {"omit": True}
    return {"value": value[1:].strip().strip("'\"")} if value.startswith("=") else {"field": value}


class Expression(Section):
    """Where a field of the answer comes from: one of `field`, `value`, `join`, `count`, `sum`, `rows` or `omit`.

    As text: the name of a field, or `= VALUE`. `codes` translates values, `default` stands for all others. `when` and
    `unless` give fields and values: the field is left out unless they match, or when they do; without values they ask
    whether the field is blank. `longer` allows a field that is longer than the standard's: values too long are an
    error (`check`), or text is cut (`cut`). `times` multiplies a number that is in units (1000), `minus` gives a field
    and the values with which a number is negative, `plus` those with which it is positive: without `plus` blank, + and
    0. Other values are errors.
    """

    field: Name | None = None
    value: Code | None = None
    join: Annotated[tuple[Code, ...], Field(max_length=8), BeforeValidator(to_tuple)] = ()
    count: Name | None = None
    sum: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_가-힣-]+\.[A-Za-z0-9_가-힣-]+$")] | None = None
    rows: Name | None = None
    each: "dict[str, ExpressionEntry]" = Field(default={})
    omit: bool = False
    codes: dict[str, Code] = Field(default={})
    default: Code | None = None
    when: dict[str, Codes] = Field(default={})
    unless: dict[str, Codes] = Field(default={})
    longer: Literal["check", "cut"] | None = None
    times: Annotated[int, Field(ge=2, le=100_000_000)] | None = None
    minus: Annotated[dict[str, Codes], Field(max_length=1)] = Field(default={})
    plus: Annotated[dict[str, Codes], Field(max_length=1)] = Field(default={})

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        sources = [self.field, self.value, self.join or None, self.count, self.sum, self.rows, self.omit or None]
        if sum(source is not None for source in sources) != 1:
            raise build_error("", "has no source or several", "one of field, value, join, count, sum, rows, omit")
        return self


ExpressionEntry = Annotated[Expression, BeforeValidator(_read_expression, json_schema_input_type=Expression | str)]
Expression.model_rebuild()


class RequestMessage(Section):
    """Fields of a request after the header. Fields named like a parameter of the API have its value."""

    fields: Items = ()


class ResponseMessage(Section):
    """Fields of a response after the header; `code` is its transaction code if it is not that of the request."""

    fields: Items = ()
    code: Code | None = None


class ListPaging(Section):
    """How the core continues a list. There are more rows while `more` matches.

    With `last` the list ends when that matches, and other values are errors. One response of the core has at most
    `rows` rows (`$rows`).
    """

    list: Name
    key: Annotated[tuple[Name, ...], Field(max_length=8)] = ()
    more: dict[str, Codes] = Field(default={})
    last: dict[str, Codes] = Field(default={})
    rows: Annotated[int, Field(ge=1, le=500)] = 100

    @property
    def max_requests(self) -> int:
        """The most requests for one page."""
        return 1


class Paging(ListPaging):
    """How the core continues a list. `key` are the fields with the continuation key of the next request (`$key`).

    A field of the rows stands for that of the last row. There are more rows while `more` matches, without `more` while
    the key is not blank. A telegram has at most `rows` rows (`$rows`); one response takes at most `telegrams` of them.
    """

    key: Annotated[tuple[Name, ...], Field(min_length=1, max_length=8)]
    telegrams: Annotated[int, Field(ge=1, le=500)] = 20

    @property
    def max_requests(self) -> int:
        """The most telegrams for one page."""
        return self.telegrams


class NumberedPaging(ListPaging):
    """How a core that speaks JSON continues a list: by a continuation key, by page number, or by offset.

    `by: page` counts pages (`$page_number`), `by: offset` rows (`$offset`). Both begin at `first`, by default at page 1
    and offset 0, and need no `key`. There are more rows while `more` matches, or while fewer than `total` rows or
    `pages` pages were read; without them while a response has as many rows as asked for. One response of the relay
    takes at most `requests`. Pages that always have `rows` rows are `fixed`: their request has no `$rows`.
    """

    by: Literal["key", "page", "offset"] = "key"
    first: Annotated[int, Field(ge=0, le=1)] | None = None
    total: Name | None = None
    pages: Name | None = None
    fixed: bool = False
    requests: Annotated[int, Field(ge=1, le=500)] = 20

    @property
    def max_requests(self) -> int:
        """The most requests for one page."""
        return self.requests

    @property
    def start(self) -> int:
        """The number of the first page, or the offset of the first row."""
        return self.first if self.first is not None else int(self.by == "page")

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if (self.by == "key") != bool(self.key):
            wrong = "is missing, but by is key" if self.by == "key" else f"is set, but by is {self.by}"
            raise build_error("key", wrong, "fields with the continuation key, or by: page, or by: offset")
        if self.fixed and self.by != "page":
            raise build_error("fixed", f"is set, but by is {self.by}", "by: page")
        if self.first is not None and self.by == "key":
            raise build_error("first", "is set, but by is key", "by: page or by: offset")
        for name, allowed in (("total", {"page", "offset"}), ("pages", {"page"})):
            if getattr(self, name) is not None and (self.by not in allowed or self.more):
                raise build_error(name, "does not fit", f"by: {' or '.join(sorted(allowed))}, and no more")
        if self.total is not None and self.pages is not None:
            raise build_error("pages", "is set, and total, too", "one of them")
        return self


class ApiFile(Section):
    """One file for each API."""

    api: ApiCode


class TelegramMessage(ApiFile):
    """One file for each API: the request, the response, and the body of the answer by the standard's names.

    Fields of the answer that are not in `answer` come from the telegram's field of the same name. `code` is the
    transaction code (`$code`).
    """

    code: Code
    request: RequestMessage = RequestMessage()
    response: ResponseMessage
    answer: dict[str, ExpressionEntry] = Field(default={})
    paging: Paging | None = None
    response_codes: dict[str, RspCodeText] = Field(default={})
