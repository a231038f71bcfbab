"""The languages of answers: the data APIs' rsp_code, OAuth's error, and the support APIs between the two."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Protocol

from relay.domain.exchange import Exchange
from relay.domain.fault import Fault, Refusal
from relay.policy.answer.code import HEAD_BYTES, code_in, judge_code
from relay.policy.call import envelope, oauth_envelope
from relay.standard.catalogue import load_rsp_codes


class Head(Protocol):
    """Writes the head of an answer."""

    def __call__(
        self, status: int, tran_id: bytes, headers: Mapping[bytes, bytes], length: int | None, *, close: bool
    ) -> bytes:
        """The head; `length` None: the body follows in chunks."""


class Refuse(Protocol):
    """Writes a whole answer that refuses."""

    def __call__(self, error: Refusal, tran_id: bytes, *, close: bool) -> bytes:
        """The answer."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One language: what is wrong with answers, what is noted of them, how heads and refusals are written.

    `fault` says what a fault of the upstream is called; `status` and `error` which HTTP status and OAuth error the
    operator reads then ("" in the data APIs).
    """

    flaw_of: Callable[[int, Mapping[bytes, bytes], bytes], str]
    note: Callable[[Exchange, Mapping[bytes, bytes], bytes], None]
    answer_head: Head
    refusal: Refuse
    fault: Callable[[Fault], Fault]
    status: Callable[[Fault], int]
    error: Callable[[Fault], str]


_RSP_CODES: Final = frozenset(load_rsp_codes())


def _note_data(exchange: Exchange, headers: Mapping[bytes, bytes], body: bytes) -> None:
    exchange.rsp_code, exchange.reason = judge_code(exchange.status, headers, body, _RSP_CODES)


def _note_oauth(exchange: Exchange, headers: Mapping[bytes, bytes], body: bytes) -> None:
    oauth_envelope.note(exchange, headers)
    exchange.rsp_code = code_in(body[:HEAD_BYTES])


def _no_error(_: Fault) -> str:
    return ""


def _as_it_is(fault: Fault) -> Fault:
    return fault


DATA: Final = Dialect(
    envelope.flaw_of,
    _note_data,
    envelope.answer_head,
    envelope.refusal,
    _as_it_is,
    attrgetter("status"),
    _no_error,
)
OAUTH: Final = Dialect(
    oauth_envelope.flaw_of,
    _note_oauth,
    oauth_envelope.answer_head,
    oauth_envelope.refusal,
    oauth_envelope.ours,
    lambda fault: oauth_envelope.error_of(fault)[0],
    lambda fault: oauth_envelope.error_of(fault)[1],
)
SUPPORT: Final = Dialect(
    envelope.flaw_of,
    _note_oauth,
    oauth_envelope.support_head,
    envelope.refusal,
    oauth_envelope.ours,
    attrgetter("status"),
    _no_error,
)
"""The data APIs' answers and refusals, from the authority: its notes for the record, its faults the relay's."""
