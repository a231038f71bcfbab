"""The conversion of one API: HTTP request from a call, decoded response from an HTTP response with JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relay.domain.api import SUCCESS, Api
from relay.policy.mediation.conversion import (
    TIMES,
    UNKNOWN_CODE,
    DecodedResponse,
    RspCodes,
    classify_unfit,
    describe_code,
    find_paged_list,
)
from relay.policy.mediation.errors import ConversionError, ForeignResponse
from relay.policy.mediation.json_api.decoding import JsonDecoder, parse_json
from relay.policy.mediation.json_api.plan import RecordPlan
from relay.policy.mediation.json_api.requests import JsonRequest, JsonResponse, RequestPlan, write_request
from relay.policy.mediation.mapping.rendering import ObjectOutput
from relay.policy.mediation.settings import EMPTY, NumberedPaging
from relay.policy.mediation.telegram.decoding import Table

_SUCCESSES: Final = range(200, 300)
_FAMILIES: Final = {
    **dict.fromkeys(("utf-8", "utf8"), "UTF-8"),
    **dict.fromkeys(("euc-kr", "euckr", "ks_c_5601-1987", "ksc5601", "cp949", "ms949", "windows-949"), "EUC-KR"),
}
"""Charsets by the names that servers use; CP949 contains EUC-KR."""

_STATUS: Final = "HTTP "


@dataclass(frozen=True, slots=True)
class JsonResponseCodePlan:
    """The response code of the core: its fields and text ("" without), and the rsp_codes by code and by HTTP status.

    `absent` is the rsp_code of a body without a code, "" if that is an error.
    """

    fields: Sequence[str]
    absent: str
    text: str
    codes: Mapping[str, str]
    statuses: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class JsonConversion:
    """One API of an institution that speaks JSON of its own. `file` is its file, which errors name.

    `header` is the record that each response has, `response` that of a success: header and body.
    """

    api: Api
    file: str
    request: RequestPlan
    header: RecordPlan
    response: RecordPlan
    codes: JsonResponseCodePlan
    output: ObjectOutput
    paging: NumberedPaging | None
    parameters: frozenset[str]
    rsp_codes: RspCodes
    charset: str
    max_bytes: int

    @property
    def name(self) -> str:
        """The api_code."""
        return self.api.api_code

    @property
    def response_name(self) -> str:
        """What names responses in errors."""
        return f"{self.file} response"

    @property
    def paged_list(self) -> str:
        """The list that a page limits, "" for APIs without pages."""
        return find_paged_list(self.paging, self.output, self.parameters)

    def describe_unknown(self, core_code: str) -> str | None:
        """Returns where an unknown response code is, with the code if it looks like one; None for a known code."""
        status = core_code.removeprefix(_STATUS)
        if status != core_code:
            return None if status in self.codes.statuses else f"status: {status}"
        is_known = core_code in self.codes.codes or not core_code
        return None if is_known else describe_code(" or ".join(map(self._locate, self.codes.fields)), core_code)

    def encode_request(self, context: Mapping[str, str]) -> JsonRequest:
        """Returns the request. Raises ConversionError when a value of the context does not fit.

        For the asset of the call that is UnfitAsset.
        """
        try:
            return write_request(f"{self.file} request", self.request, context.get)
        except ConversionError as error:
            name = error.field.rpartition(": ")[2]
            raise classify_unfit(self.api, self.request.values.get(name, name), error) from None

    def decode_response(self, response: JsonResponse, context: Mapping[str, str], /) -> DecodedResponse:
        """Returns the decoded response to the request of the same context. Raises ConversionError.

        Fields with a variable must have its value in the context. Of a failure only the header is decoded.
        """
        expected = {name: value for name, value in context.items() if name not in TIMES}
        is_success = response.status in _SUCCESSES
        status_code = self.codes.statuses.get(str(response.status))
        if is_success and status_code is not None and not response.body:
            return self._build_bodiless(response.status, status_code)
        if not is_success:
            return self._decode_failure(response, expected, status_code)
        body = self._parse(response)
        header = JsonDecoder(self.response_name, expected, is_strict=False).decode(self.header, body)
        core_code, text = self._read_code(header), header.get(self.codes.text)
        rsp_code = self.codes.codes.get(core_code, UNKNOWN_CODE) if core_code else self._get_absent()
        if rsp_code == EMPTY:
            return DecodedResponse(SUCCESS, core_code, text)
        if rsp_code != SUCCESS:
            return DecodedResponse(rsp_code, core_code, text)
        table = JsonDecoder(self.response_name, expected).decode(self.response, body)
        return DecodedResponse(SUCCESS, core_code, text, table)

    def _locate(self, name: str) -> str:
        """Returns the path of a field of the header."""
        return next((f"$.{plan.path}" for plan in self.header.fields if plan.name == name), name)

    def _read_code(self, header: Table) -> str:
        """Returns the first response code of the body, "" for none."""
        return next(filter(None, map(header.get, self.codes.fields)), "")

    def _get_absent(self) -> str:
        """Returns the rsp_code of a body without a response code. Raises ConversionError when it must have one."""
        if not self.codes.fields:
            return SUCCESS
        if not self.codes.absent:
            raise ConversionError(self.response_name, -1, self._locate(self.codes.fields[0]), "a response code")
        return self.codes.absent

    def _build_bodiless(self, status: int, rsp_code: str) -> DecodedResponse:
        return DecodedResponse(SUCCESS if rsp_code == EMPTY else rsp_code, f"{_STATUS}{status}")

    def _decode_failure(
        self, response: JsonResponse, expected: Mapping[str, str], status_code: str | None
    ) -> DecodedResponse:
        """Returns a failure by the code in its body if that is known, else by its status. It may have no body."""
        core_code = text = ""
        try:
            body = self._parse(response)
            header = JsonDecoder(self.response_name, expected, is_strict=False).decode(self.header, body)
            core_code, text = self._read_code(header), header.get(self.codes.text)
        except ForeignResponse:
            raise
        except ConversionError:
            pass  # a page of a proxy: the status decides
        rsp_code = self.codes.codes.get(core_code, "")
        if rsp_code and rsp_code not in {SUCCESS, EMPTY}:
            return DecodedResponse(rsp_code, core_code, text)
        known = status_code or UNKNOWN_CODE
        return DecodedResponse(SUCCESS if known == EMPTY else known, f"{_STATUS}{response.status}", text)

    def _parse(self, response: JsonResponse) -> Any:
        """Returns the parsed body. Raises ConversionError for one that is too long, coded, or no JSON."""
        name = self.response_name
        if response.is_too_long:
            raise ConversionError(name, -1, "$", f"at most {self.max_bytes} bytes")
        if response.content_coding.lower() not in {"", "identity"}:
            raise ConversionError(name, -1, "Content-Encoding", "no content coding")
        self._check_content_type(response.content_type)
        return parse_json(name, response.body, self.charset)

    def _check_content_type(self, content_type: str) -> None:
        media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
        if media_type and "json" not in media_type:
            raise ConversionError(self.response_name, -1, "Content-Type", "application/json")
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "charset" and not self._is_charset(value.strip().strip('"')):
                raise ConversionError(self.response_name, -1, "Content-Type", f"the charset {self.charset}")

    def _is_charset(self, name: str) -> bool:
        return name == "us-ascii" or _FAMILIES.get(name) == _FAMILIES[self.charset.lower()]
