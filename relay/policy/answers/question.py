"""A call with its answer, as they wait for the check; reads the parameters of the call."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from relay.domain.api import Api
from relay.domain.fault import Refusal
from relay.policy.call.query import parse_body, parse_query


class Question(NamedTuple):
    """The parts of a call that have its parameters: path, query of a GET, body of a POST."""

    path: bytes
    query: bytes
    body: bytes


class ReceivedAnswer(NamedTuple):
    """The answer of an institution to one call, until it is checked. `is_sampled` is how it was chosen."""

    org_code: str
    api_code: str
    is_sampled: bool
    question: Question
    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


def read_parameters(api: Api, question: Question) -> Mapping[str, object]:
    """Returns the parameters of a call in path, query and body; none if they cannot be read."""
    try:
        if api.method == "POST":
            return parse_body(question.body)
        parameters = parse_query(question.query).values
    except Refusal:
        return {}
    if api.asset is None or "{" not in api.path:
        return parameters
    return {**parameters, api.asset.field: _find_asset(api, question.path)}


def _find_asset(api: Api, path: bytes) -> str:
    """Returns the asset in a path: `/v1/card/cards/{card_id}/approval-domestic`."""
    parts = path.decode("latin-1").split("/")
    index = api.path.split("/").index(f"{{{api.asset.field}}}") if api.asset else len(parts)
    return unquote(parts[index]) if index < len(parts) else ""
