"""Examples of data calls."""

import pytest
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.scenarios.data_examples import ROWS, build_data_examples

from relay.domain.ids import INDUSTRIES
from relay.standard.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def find_lists(value):
    if isinstance(value, list):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from find_lists(child)


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_every_api_of_an_industry_has_a_conforming_example(industry):
    examples = build_data_examples(CATALOGUE, industry)
    assert list(examples) == [api.api_id for api in CATALOGUE.iter_apis(industry)]
    for api_id, example in examples.items():
        assert find_strict_violations(CATALOGUE.apis[api_id], example["response"]) == []
        assert max(map(len, find_lists(example["response"])), default=0) <= ROWS


def test_an_example_asks_for_as_many_rows_as_it_shows():
    example = build_data_examples(CATALOGUE, "bank")["은행-004"]
    assert example["request"]["limit"] == str(ROWS)
    assert "next_page" in example["response"]


def test_a_refused_call_is_no_example(monkeypatch):
    monkeypatch.setattr("mydata_sandbox.scenarios.data_examples.build_request", lambda *_: {"org_code": "other"})
    with pytest.raises(RuntimeError, match="40303"):
        build_data_examples(CATALOGUE, "bank")
