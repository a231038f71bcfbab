"""An answer that is to be checked, with the call that it belongs to."""

from collections.abc import Mapping
from typing import NamedTuple

from relay.policy.answers.question import Question


class ReceivedAnswer(NamedTuple):
    """The answer of an institution to one call, until it is checked. `is_sampled` is how it was chosen."""

    org_code: str
    api_code: str
    is_sampled: bool
    question: Question
    status: int
    headers: Mapping[bytes, bytes]
    body: bytes
