"""The conversion of one API: request telegram from a call, decoded response from a telegram."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from relay.domain.api import SUCCESS, Api
from relay.domain.korea import format_timestamp
from relay.policy.mediation.errors import ConversionError, UnfitAsset
from relay.policy.mediation.mapping.rendering import ObjectOutput
from relay.policy.mediation.settings import EMPTY, Kinds, ListPaging, Paging
from relay.policy.mediation.telegram.decoding import Decoder, Table
from relay.policy.mediation.telegram.encoding import Encoder
from relay.policy.mediation.telegram.framing import Framing
from relay.policy.mediation.telegram.plan import FieldPlan, MessagePlan, get_size, iter_fields

CONTEXT_NAMES: Final = (
    *("today", "now", "time", "unique_number", "tran_id", "length", "kind", "code", "org_code", "client_id", "user_ci"),
    *("api_type", "sequence", "rows", "key", "page"),
)
"""Names of values that fields may have as `= $NAME`, beside the parameters of the API and `$key.FIELD`."""

TIMES: Final = frozenset({"today", "now", "time"})
"""Values that a response does not repeat."""

RspCodes = Mapping[str, tuple[int, str]]
"""HTTP status and meaning of each rsp_code of the standard (규격 첨부1)."""

UNKNOWN_CODE: Final = "50005"
"""The rsp_code for response codes of the core that no table has."""


_MAX_CORE_CODE: Final = 10


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operator: checked parameters and headers. `consent`, an id of consent or token, binds cursors."""

    org_code: str
    parameters: Mapping[str, str]
    tran_id: str = ""
    api_type: str = ""
    client_id: str = ""
    user_ci: str = ""
    consent: str = ""


@dataclass(frozen=True, slots=True)
class DecodedResponse:
    """A response of the core. `rsp_code` is that of the standard; `table` is None unless it is a success with a body.

    `core_code` is the core's own response code, `text` its message for the customer.
    """

    rsp_code: str
    core_code: str
    text: str = ""
    table: Table | None = None

    @property
    def is_success(self) -> bool:
        """Whether the core has answered with data, possibly none."""
        return self.rsp_code == SUCCESS


RequestT_co = TypeVar("RequestT_co", covariant=True)
ResponseT_contra = TypeVar("ResponseT_contra", contravariant=True)


class PageConversion(Protocol[RequestT_co, ResponseT_contra]):
    """What collecting a page needs of an API, whether the core speaks telegrams or JSON."""

    @property
    def name(self) -> str:
        """The api_code."""

    @property
    def response_name(self) -> str:
        """What names responses in errors."""

    @property
    def output(self) -> ObjectOutput:
        """The body of the answer."""

    @property
    def paging(self) -> ListPaging | None:
        """How the core continues the list, None without pages."""

    @property
    def paged_list(self) -> str:
        """The list that a page limits, "" for APIs without pages."""

    @property
    def rsp_codes(self) -> RspCodes:
        """The rsp_codes of the standard."""

    def encode_request(self, context: Mapping[str, str]) -> RequestT_co:
        """Returns a request of the core. Raises ConversionError when a value of the context does not fit."""

    def decode_response(self, response: ResponseT_contra, context: Mapping[str, str], /) -> DecodedResponse:
        """Returns the decoded response to the request of the same context. Raises ConversionError."""

    def describe_unknown(self, core_code: str) -> str | None:
        """Returns where an unknown response code is, with the code if it looks like one; None for a known code."""


def describe_code(field: str, code: str) -> str:
    """Returns the response code of the core for the record, if it looks like one."""
    is_code = code.isascii() and code.isalnum() and len(code) <= _MAX_CORE_CODE
    return f"{field}: {code}" if is_code else field


@dataclass(frozen=True, slots=True)
class ResponseCodePlan:
    """The response code of the core: its field, whether that is in the header, its text, and the table."""

    field: str
    is_in_header: bool
    text: str
    codes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Conversion:
    """One API of an institution: its compiled messages and the output of its answer.

    Fields of the request that are named like one of `parameters` have its value.
    """

    api: Api
    code: str
    response_code: str
    kinds: Kinds
    framing: Framing
    request: MessagePlan
    response: MessagePlan
    codes: ResponseCodePlan
    output: ObjectOutput
    paging: Paging | None
    parameters: frozenset[str]
    rsp_codes: RspCodes

    @property
    def name(self) -> str:
        """The api_code, which names messages in errors."""
        return self.api.api_code

    @property
    def response_name(self) -> str:
        """What names responses in errors."""
        return f"{self.name} response"

    @property
    def paged_list(self) -> str:
        """The list that a page limits, "" for APIs without pages. Without `paging` one telegram has all of its rows."""
        return find_paged_list(self.paging, self.output, self.parameters)

    def describe_unknown(self, core_code: str) -> str | None:
        """Returns where an unknown response code is, with the code if it looks like one; None for a known code."""
        return None if core_code in self.codes.codes else describe_code(self.codes.field, core_code)

    def encode_request(self, context: Mapping[str, str]) -> bytes:
        """Returns the request telegram. Raises ConversionError when a value of the context does not fit.

        For the asset of the call that is UnfitAsset.
        """
        values = {**context, "kind": self.kinds.request, "code": self.code, "length": "0"}

        def resolve(plan: FieldPlan) -> str | None:
            return values.get(plan.variable or (plan.name if plan.name in self.parameters else ""))

        try:
            telegram = Encoder(f"{self.name} request", resolve).encode(self.request.parts, {})
        except ConversionError as error:
            values_of = {plan.name: plan.variable or plan.name for plan in iter_fields(self.request.parts)}
            raise classify_unfit(self.api, values_of.get(error.field, ""), error) from None
        return self.framing.write_length(telegram)

    def decode_response(self, data: bytes, context: Mapping[str, str]) -> DecodedResponse:
        """Returns the decoded response to the request of the same context. Raises ConversionError.

        Fields with a variable must have its value in the context. Only the header of a failure is decoded.
        """
        message = self.response_name
        expected = {name: value for name, value in context.items() if name not in TIMES}
        expected |= {"kind": self.kinds.response, "code": self.response_code}
        decoder = Decoder(message, data, expected)
        if len(data) >= self.framing.end and self.framing.read_size(data) != len(data):
            raise ConversionError(message, self.framing.settings.offset, "length", "the length of the telegram")
        table = decoder.decode_header(self.response)
        if not self.codes.is_in_header:
            decoder.decode_body(self.response, table)
        core_code = table.get(self.codes.field)
        rsp_code = self.codes.codes.get(core_code, UNKNOWN_CODE)
        text = table.get(self.codes.text)
        if rsp_code == EMPTY and len(data) == get_size(self.response.header):
            return DecodedResponse(SUCCESS, core_code, text)
        if rsp_code not in {SUCCESS, EMPTY}:
            return DecodedResponse(rsp_code, core_code, text)
        if self.codes.is_in_header:
            decoder.decode_body(self.response, table)
        return DecodedResponse(SUCCESS, core_code, text, table)


def classify_unfit(api: Api, name: str, error: ConversionError) -> ConversionError:
    """Returns the error of a request for a value that does not fit: UnfitAsset when `name` is the asset of the call."""
    asset = api.asset
    if asset is None or name not in {asset.field, asset.seqno}:
        return error
    return UnfitAsset(error.message, error.offset, error.field, error.expected)


def find_paged_list(paging: ListPaging | None, output: ObjectOutput, parameters: Collection[str]) -> str:
    """Returns the list that a page limits, "" for APIs without pages. Without `paging` one response has all rows."""
    if paging is not None:
        return paging.list
    return output.lists[0].name if output.lists and "next_page" in parameters else ""


def build_context(call: Call, unique_number: str, now: float, sequence: int = 1) -> dict[str, str]:
    """Returns the values that a request may have, by name; parameters do not hide values of the context.

    `sequence` counts the requests of one call from 1.
    """
    moment = format_timestamp(now)
    return {
        **{name: value for name, value in call.parameters.items() if value},
        "today": moment[:8],
        "now": moment,
        "time": moment[8:],
        "unique_number": unique_number,
        "tran_id": call.tran_id,
        "org_code": call.org_code,
        "client_id": call.client_id,
        "user_ci": call.user_ci,
        "api_type": call.api_type,
        "sequence": str(sequence),
    }


def add_position(context: dict[str, str], paging: ListPaging, key: Sequence[str], rows: int) -> None:
    """Adds the values of one request of a list: `$rows`, `$page` (first or next), `$key`, and `$key.FIELD` for each."""
    context["rows"] = str(rows)
    context["page"] = "next" if any(key) else "first"
    values = [*key, *[""] * (len(paging.key) - len(key))]
    context["key"] = values[0]
    for name, value in zip(paging.key, values, strict=True):
        context[f"key.{name}"] = value
