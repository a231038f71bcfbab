"""Examples of data calls for the documents of the standard: requests and responses of the simulated institutions."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from mydata_sandbox.institution.provider import Provider, ProviderRequest
from mydata_sandbox.operator.request_values import build_next_page, build_request
from mydata_sandbox.parties import INSTITUTIONS, OPERATORS
from mydata_sandbox.world.handlers import DATA_HANDLERS
from relay.domain.api import Api, Catalogue

Example = dict[str, Any]

DAY: Final = date(2026, 11, 20)
"""The last day with data in the examples."""

ROWS: Final = 2
"""Rows of a list in an example."""


def build_data_examples(catalogue: Catalogue, industry: str) -> dict[str, Example]:
    """Returns an example of each data API of an industry by api_id: its parameters and the body of its response.

    Lists have at most `ROWS` rows. Raises RuntimeError when the institution refuses a call.
    """
    org_code, _ = INSTITUTIONS[industry]
    provider = Provider(org_code, industry, catalogue, DATA_HANDLERS, lambda: DAY)
    fixed = {"org_code": org_code, "client_id": OPERATORS[0][2][0][0]}
    answers: dict[str, list[Mapping[str, Any]]] = {}
    examples: dict[str, Example] = {}
    for api in catalogue.iter_apis(industry):
        params = build_request(api, fixed, answers, DAY)
        answers[api.api_id] = _get_pages(provider, api, industry, params)
        if "limit" in params:
            params["limit"] = str(ROWS)
        response = _call(provider, api, industry, params)
        examples[api.api_id] = {"request": params, "response": _shorten(response)}
    return examples


def _get_pages(provider: Provider, api: Api, industry: str, params: Mapping[str, str]) -> list[Mapping[str, Any]]:
    pages = [_call(provider, api, industry, params)]
    while cursor := pages[-1].get("next_page"):
        pages.append(_call(provider, api, industry, build_next_page(params, cursor)))
    return pages


def _call(provider: Provider, api: Api, industry: str, params: Mapping[str, str]) -> Mapping[str, Any]:
    path = api.path_for(industry).replace("{card_id}", params.get("card_id", ""))
    reply = provider.respond(ProviderRequest(api.method, path, params))
    if reply.body["rsp_code"] != "00000":
        raise RuntimeError(f"{api.api_id}: {reply.body}")
    return reply.body


def _shorten(value: Any) -> Any:
    """Returns a body whose lists have at most `ROWS` rows, and the counts of the shortened lists."""
    if isinstance(value, list):
        return [_shorten(row) for row in value[:ROWS]]
    if not isinstance(value, dict):
        return value
    shortened = {name: _shorten(member) for name, member in value.items()}
    counts = {
        name: str(len(rows))
        for name in value
        if isinstance(rows := shortened.get(f"{name.removesuffix('_cnt')}_list"), list) and name.endswith("_cnt")
    }
    return shortened | counts
