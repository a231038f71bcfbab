"""Models of the files of an institution whose core speaks JSON of its own: `link.yaml`, and one file for each API.

Their keys are those of telegrams wherever they mean the same.
"""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from relay.policy.mediation.json_api.notation import JsonItems, Path
from relay.policy.mediation.settings import ApiFile, CustomerCheck, ExpressionEntry, NumberedPaging, RspCodeText
from relay.policy.mediation.telegram.notation import Name, to_tuple
from relay.policy.settings.scalars import Section

Charset = Literal["UTF-8", "EUC-KR", "CP949"]
Form = Annotated[str, StringConstraints(max_length=40)]
UrlPath = Annotated[
    str,
    StringConstraints(pattern=r"^(/[A-Za-z0-9._~:@!$&'()*+,;={}-]*)*$", max_length=500),
    Field(description="a path, /policies/{$insu_num}/payments"),
]
Status = Annotated[str, StringConstraints(pattern=r"^[2-5][0-9]{2}$"), Field(description="an HTTP status in quotes")]

FieldNames = Annotated[
    tuple[Name, ...],
    BeforeValidator(
        lambda value: (value,) if isinstance(value, str) else to_tuple(value),
        json_schema_input_type=tuple[Name, ...] | Name,
    ),
]

MAX_BYTES: Final = 1_048_576


class JsonResponseCodes(Section):
    """The rsp_code for each response of the core: by the code in `field` of the body, or by HTTP status.

    A known code of the body decides; then the status. With several fields the first one that has a value has the
    code. A body of status 2xx without a code is what `absent` says, by default an error. Without `field` a status 2xx
    is a success. All others are 50005. `text` is a field with a message for the customer.
    """

    field: FieldNames = ()
    absent: RspCodeText | None = None
    codes: dict[str, RspCodeText] = Field(default={})
    statuses: dict[Status, RspCodeText] = Field(default={})
    text: Name | None = None


class Forms(Section):
    """The forms of dates, times and moments that have none in their field."""

    date: Form = "YYYYMMDD"
    time: Form = "hhmmss"
    datetime: Form = "YYYYMMDDhhmmss"
    month: Form = "YYYYMM"


class JsonLink(Section):
    """`link.yaml`: what all APIs of an institution have in common.

    `path` is put before the path of each API, `headers` are sent with each request, `header` are fields that each
    response has. A response has at most `max_bytes`. `customer: unchecked` allows requests without `$user_ci`.
    """

    charset: Charset = "UTF-8"
    path: UrlPath = ""
    headers: JsonItems = ()
    forms: Forms = Forms()
    header: JsonItems = ()
    response_code: JsonResponseCodes
    customer: CustomerCheck = "ci"
    max_bytes: Annotated[int, Field(ge=1024, le=16_777_216)] = MAX_BYTES


class RequestSettings(Section):
    """The request: method, path with `{$NAME}`, query, headers, and the `fields` of its JSON body.

    Fields named like a parameter of the API have its value; those without a value are left out.
    """

    method: Literal["GET", "POST", "PUT"] = "GET"
    path: Annotated[UrlPath, Field(min_length=1)]
    query: JsonItems = ()
    headers: JsonItems = ()
    fields: JsonItems = ()


class ResponseSettings(Section):
    """Fields of a response, with paths that begin at `at`, by default at the body."""

    at: Path = "$"
    fields: JsonItems = ()


class JsonMessage(ApiFile):
    """One file for each API: the request, the response, and the body of the answer by the standard's names."""

    request: RequestSettings
    response: ResponseSettings
    answer: dict[str, ExpressionEntry] = Field(default={})
    paging: NumberedPaging | None = None
    response_codes: dict[str, RspCodeText] = Field(default={})
