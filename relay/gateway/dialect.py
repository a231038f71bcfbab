"""Formats of responses: rsp_code of the data APIs, error of OAuth, and the support APIs with parts of both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Protocol

from relay.domain.exchange import Exchange
from relay.domain.fault import Fault, Refusal
from relay.policy.call import envelope, oauth_envelope
from relay.policy.response.rsp_code import (
    CHARSET,
    HEAD_BYTES,
    NO_CODE,
    find_last_rsp_code,
    find_rsp_code,
    judge_beginning,
    judge_code,
    judge_rsp_code,
)
from relay.policy.response.streamed_text import StreamedText
from relay.standard.catalogue import load_rsp_codes


class WriteHead(Protocol):
    """Writes the head of a response."""

    def __call__(
        self, status: int, tran_id: bytes, headers: Mapping[bytes, bytes], length: int | None, *, close: bool
    ) -> bytes:
        """Returns the head. `length` is None if the body follows in chunks."""


class WriteRefusal(Protocol):
    """Writes a whole response that refuses a call."""

    def __call__(self, error: Refusal, tran_id: bytes, *, close: bool) -> bytes:
        """Returns the response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One format: validates responses, records them, and writes heads and refusals.

    `fault` maps a fault of the upstream to the one that is reported; `status` and `error` return its HTTP status and
    OAuth error ("" in the data APIs).
    """

    find_flaw: Callable[[int, Mapping[bytes, bytes], bytes], str]
    record: Callable[[Exchange, Mapping[bytes, bytes], bytes], None]
    response_head: WriteHead
    refusal: WriteRefusal
    fault: Callable[[Fault], Fault]
    status: Callable[[Fault], int]
    error: Callable[[Fault], str]


_RSP_CODES: Final = frozenset(load_rsp_codes())


def _record_data(exchange: Exchange, headers: Mapping[bytes, bytes], body: bytes) -> None:
    exchange.rsp_code, exchange.reason = judge_rsp_code(exchange.status, headers, body, _RSP_CODES)


def record_beginning(exchange: Exchange, headers: Mapping[bytes, bytes], body: bytes) -> None:
    """Records rsp_code and fault of a large data response as its beginning shows them."""
    exchange.rsp_code, exchange.reason = judge_beginning(exchange.status, headers, body, _RSP_CODES)


def record_end(exchange: Exchange, text: StreamedText, *, lacks_code: bool) -> None:
    """Records what only the end of a large data response shows: a code that its beginning lacks, and its charset.

    A body that is not decoded to its end has no code, since it may be incomplete.
    """
    if not text.is_readable:
        exchange.rsp_code, exchange.reason = "", NO_CODE
    elif lacks_code:
        code = find_last_rsp_code(text.tail)
        exchange.rsp_code, exchange.reason = judge_code(exchange.status, code, _RSP_CODES, is_text=text.is_utf8)
    elif not text.is_utf8:
        exchange.rsp_code, exchange.reason = "", CHARSET


def _record_oauth(exchange: Exchange, headers: Mapping[bytes, bytes], body: bytes) -> None:
    oauth_envelope.copy_record_headers(exchange, headers)
    exchange.rsp_code = find_rsp_code(body[:HEAD_BYTES])


def _no_error(_: Fault) -> str:
    return ""


def _keep_fault(fault: Fault) -> Fault:
    return fault


DATA: Final = Dialect(
    find_flaw=envelope.find_flaw,
    record=_record_data,
    response_head=envelope.build_response_head,
    refusal=envelope.build_refusal,
    fault=_keep_fault,
    status=attrgetter("status"),
    error=_no_error,
)
OAUTH: Final = Dialect(
    find_flaw=oauth_envelope.find_flaw,
    record=_record_oauth,
    response_head=oauth_envelope.build_response_head,
    refusal=oauth_envelope.build_refusal,
    fault=oauth_envelope.to_relay_fault,
    status=lambda fault: oauth_envelope.get_oauth_error(fault)[0],
    error=lambda fault: oauth_envelope.get_oauth_error(fault)[1],
)
SUPPORT: Final = Dialect(
    find_flaw=envelope.find_flaw,
    record=_record_oauth,
    response_head=oauth_envelope.build_support_head,
    refusal=envelope.build_refusal,
    fault=oauth_envelope.to_relay_fault,
    status=attrgetter("status"),
    error=_no_error,
)
"""Responses and refusals as in the data APIs, but sent by the authority: recorded and blamed as for OAuth."""
