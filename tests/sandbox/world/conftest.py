"""Clients that call the data handlers of pretended institutions in tests."""

from collections.abc import Callable
from datetime import date
from functools import cache

import pytest
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.world.handlers import DATA_HANDLERS
from mydata_sandbox.world.model import Customer, DataRequest, answer

from relay.domain.api import Catalogue
from relay.standard.catalogue import load_catalogue

TODAY = date(2026, 11, 20)


@cache
def get_catalogue() -> Catalogue:
    return load_catalogue()


class HandlerClient:
    """Calls the handlers of one institution for one customer; checks each response against the catalogue."""

    def __init__(self, handlers, industry: str, customer: Customer, today: date = TODAY) -> None:
        self.handlers, self.industry, self.customer, self.today = handlers, industry, customer, today

    def build_request(self, api_id: str, **params: str) -> DataRequest:
        return DataRequest(get_catalogue().apis[api_id], self.industry, self.customer, params, self.today)

    def call_handler(self, api_id: str, **params: str) -> dict:
        """Returns what the handler returns: Python values, whole lists."""
        return self.handlers[api_id](self.build_request(api_id, **params))

    def __call__(self, api_id: str, **params: str) -> dict:
        data_request = self.build_request(api_id, **params)
        body = answer(self.handlers, data_request)
        assert find_strict_violations(data_request.api, body) == []
        return body

    def fetch_pages(self, api_id: str, list_name: str, limit: int = 500, **params: str) -> list[dict]:
        """Returns the rows of all pages of a list."""
        rows, cursor = [], {}
        while True:
            body = self(api_id, limit=str(limit), **params, **cursor)
            assert len(body[list_name]) <= limit
            assert ("search_timestamp" in body) <= (not cursor)
            rows += body[list_name]
            if "next_page" not in body:
                return rows
            cursor = {"next_page": body["next_page"]}


@pytest.fixture
def build_client() -> Callable[..., HandlerClient]:
    """Returns a function that builds a client for the handlers of a module."""

    def build(industry: str, customer: Customer, today: date = TODAY) -> HandlerClient:
        return HandlerClient(DATA_HANDLERS, industry, customer, today)

    return build
