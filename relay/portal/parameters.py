"""Parameters of 지원-102 to -104: read unambiguously and validated against the catalogue."""

from collections.abc import Mapping

from relay.domain.api import Api
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ids import TRAN_ID_FORM
from relay.endpoint.calls import ForwardedCall
from relay.endpoint.forms import get_check
from relay.policy.call.envelope import check_json_type
from relay.policy.call.fields import to_text
from relay.policy.call.query import POST_QUERY_MESSAGE, parse_body, parse_query


def check_headers(call: ForwardedCall, api: Api) -> None:
    """Validates the headers beside Authorization. Raises Refusal (40002)."""
    if not call.tran_id:
        raise Refusal(FAULTS["header_malformed"], TRAN_ID_FORM)
    if api.method == "POST":
        content_type = call.single_header("content-type")
        check_json_type(content_type.encode("utf-8", "surrogateescape") if content_type else None)
        if "content-encoding" in call.headers:
            raise Refusal(FAULTS["header_malformed"], "Content-Encoding은 허용되지 않습니다")


def read_parameters(call: ForwardedCall, api: Api) -> Mapping[str, str]:
    """Returns the parameters as texts, complete and valid. Raises Refusal (40001)."""
    parameters = _body(call) if api.method == "POST" else _query(call.query or "")
    get_check(api.api_id)(parameters)
    return {name: to_text(value) for name, value in parameters.items()}


def _body(call: ForwardedCall) -> Mapping[str, object]:
    if call.query is not None:
        raise Refusal(FAULTS["parameter_malformed"], POST_QUERY_MESSAGE)
    return parse_body(call.body)


def _query(query: str) -> Mapping[str, object]:
    if not query.isascii():
        raise Refusal(FAULTS["parameter_malformed"], "URI는 ASCII 문자만 허용됩니다")
    return parse_query(query.encode()).values
