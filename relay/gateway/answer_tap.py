"""Passes the answer to one call on, and to the watch of answers once it is complete."""

from collections.abc import Mapping
from typing import Final, Protocol

from relay.domain.exchange import Exchange
from relay.domain.fault import Fault
from relay.domain.ports import ResponseReceiver
from relay.policy.answers.content import MAX_BYTES
from relay.policy.answers.question import Question, ReceivedAnswer
from relay.policy.call.plan import Institution
from relay.policy.settings.scalars import Answers
from relay.wire.head import RequestHead

_OFF: Final = Answers.OFF
_SAMPLE: Final = Answers.SAMPLE


class AnswerWatch(Protocol):
    """Checks answers off the calls' way; `relay.infra.answers.watch.AnswerWatch` implements it."""

    def is_due(self, org_code: str, api_code: str, now: float) -> bool:
        """Returns whether the answer to a call at monotonic `now` is sampled."""

    def add(self, answer: ReceivedAnswer) -> None:
        """Takes a complete answer. Never waits."""


class AnswerTap:
    """Receives an answer as the institution sent it, before fields are removed from it.

    A large answer is collected, up to MAX_BYTES. An answer that is cut is not checked: it is a fault already.
    """

    __slots__ = (
        "_api_code",
        "_headers",
        "_is_sampled",
        "_org_code",
        "_parts",
        "_question",
        "_receiver",
        "_size",
        "_status",
        "_watch",
    )

    def __init__(
        self,
        receiver: ResponseReceiver,
        watch: AnswerWatch,
        org_code: str,
        api_code: str,
        question: Question,
        *,
        is_sampled: bool,
    ) -> None:
        self._receiver = receiver
        self._watch = watch
        self._org_code = org_code
        self._api_code = api_code
        self._question = question
        self._is_sampled = is_sampled
        self._status = 0
        self._headers: Mapping[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Passes a whole response on, then to the watch."""
        is_valid = self._receiver.response_received(status, headers, body)
        self._add(status, headers, body)
        return is_valid

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Passes the head of a large response on and collects the beginning of its body."""
        self._status, self._headers = status, headers
        self._collect(body)
        self._receiver.head_received(status, headers, length, body)

    def body_received(self, body: bytes) -> None:
        """Collects a part and passes it on."""
        self._collect(body)
        self._receiver.body_received(body)

    def response_ended(self) -> None:
        """Passes the end on; what was collected goes to the watch."""
        self._receiver.response_ended()
        self._add(self._status, self._headers, b"".join(self._parts))
        self._parts.clear()

    def request_failed(self, fault: Fault, detail: str = "") -> None:
        """Passes the failure on."""
        self._parts.clear()
        self._receiver.request_failed(fault, detail)

    def _collect(self, body: bytes) -> None:
        if self._size <= MAX_BYTES:  # one part beyond it: the watch counts the answer as too large
            self._size += len(body)
            self._parts.append(body)

    def _add(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> None:
        self._watch.add(
            ReceivedAnswer(self._org_code, self._api_code, self._is_sampled, self._question, status, headers, body)
        )


def tap_answer(
    receiver: ResponseReceiver,
    watch: AnswerWatch,
    institution: Institution,
    exchange: Exchange,
    head: RequestHead,
    body: bytes,
) -> ResponseReceiver:
    """Returns `receiver`, behind a tap if the answer to this call is to be checked. PERF: 0.1 us if not."""
    answers = institution.answers
    if answers is _OFF:
        return receiver
    is_sampled = answers is _SAMPLE
    if is_sampled and not watch.is_due(institution.org_code, exchange.api_code, exchange.provider_started):
        return receiver
    question = Question(head.path, head.query, body)
    return AnswerTap(receiver, watch, institution.org_code, exchange.api_code, question, is_sampled=is_sampled)
