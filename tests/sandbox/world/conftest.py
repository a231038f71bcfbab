"""How the street is asked in tests: one question, a whole list over its pages, a story without pages."""

from collections.abc import Callable
from datetime import date
from functools import cache
from importlib import import_module

import pytest

from relay.domain.api import Catalogue
from relay.policy.response.conformance import find_violations
from relay.sandbox.world.model import Ask, Customer, answer
from relay.standard.catalogue import load_catalogue

TODAY = date(2026, 11, 20)


@cache
def catalogue() -> Catalogue:
    return load_catalogue()


class Teller:
    """One institution and one customer of it; every answer is held against the catalogue."""

    def __init__(self, stories, industry: str, customer: Customer, today: date = TODAY) -> None:
        self.stories, self.industry, self.customer, self.today = stories, industry, customer, today

    def ask(self, api_id: str, **params: str) -> Ask:
        return Ask(catalogue().apis[api_id], self.industry, self.customer, params, self.today)

    def told(self, api_id: str, **params: str) -> dict:
        """The story itself: Python values, lists whole."""
        return self.stories[api_id](self.ask(api_id, **params))

    def __call__(self, api_id: str, **params: str) -> dict:
        ask = self.ask(api_id, **params)
        body = answer(self.stories, ask)
        assert find_violations(ask.api, body) == []
        return body

    def pages(self, api_id: str, listed: str, limit: int = 500, **params: str) -> list[dict]:
        """All rows of a list, page after page."""
        rows, cursor = [], {}
        while True:
            body = self(api_id, limit=str(limit), **params, **cursor)
            assert len(body[listed]) <= limit
            assert ("search_timestamp" in body) <= (not cursor)
            rows += body[listed]
            if "next_page" not in body:
                return rows
            cursor = {"next_page": body["next_page"]}


@pytest.fixture
def teller() -> Callable[..., Teller]:
    """Makes a Teller of a world module's stories."""

    def make(industry: str, customer: Customer, world: str | None = None, today: date = TODAY) -> Teller:
        stories = import_module(f"relay.sandbox.world.{world or industry}").STORIES
        return Teller(stories, industry, customer, today)

    return make
