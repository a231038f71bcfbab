"""Holds the demands of docs/reference/integrated-authentication.md to the parser and the checks of the relay."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from relay.domain.ids import INDUSTRIES
from relay.policy.consent.demand import DemandContext, DemandError, RequestType, check_demand, read_demand
from relay.policy.consent.particulars import get_scopes
from relay.standard.catalogue import load_catalogue

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "integrated-authentication.md"
TODAY = date(2026, 12, 1)
OPERATOR = "ZOPA000001"
CHAPTER = PAGE.read_text().partition("## The demand")[2].partition("## Order of the checks")[0]
EXAMPLES = dict(re.findall(r"### (\w+): .*?```json\n(.*?)```", CHAPTER, re.DOTALL))
FIRST = re.search(r"```json\n(.*?)```", CHAPTER, re.DOTALL)[1]
ROWS = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]*) \|", CHAPTER, re.MULTILINE)
REQUIRED = [name for names, needed in ROWS if needed == "yes" for name in re.findall(r"\w+", names)]


def check(text, industry, request_type=RequestType.ASSETS):
    """Reads and checks a demand. Returns it."""
    members = json.loads(text)
    scopes = get_scopes(industry, load_catalogue())
    demand = read_demand(text.encode())
    check_demand(demand, DemandContext(members["snd_org_code"], OPERATOR, scopes, request_type, TODAY))
    return demand


def test_the_page_has_an_example_of_each_industry():
    assert list(EXAMPLES) == list(INDUSTRIES)


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_an_example_is_accepted_and_names_all_scopes(industry):
    demand = check(EXAMPLES[industry], industry)
    assert set(demand.particulars.scopes) == set(get_scopes(industry, load_catalogue()))
    assert any(target.assets for target in demand.particulars.targets)


def test_the_first_demand_asks_for_lists():
    demand = check(FIRST, "bank", RequestType.LISTS)
    assert demand.particulars.scopes == ("bank.list",)


def test_the_table_names_all_members_of_the_examples():
    named = {name for names, _ in ROWS for name in re.findall(r"\w+", names)}
    used = {name for text in EXAMPLES.values() for name in json.loads(text)}
    assert named == used | {"asset_list", "service_id"}


@pytest.mark.parametrize("member", REQUIRED)
def test_a_required_member_cannot_be_left_out(member):
    members = json.loads(EXAMPLES["bank"])
    del members[member]
    with pytest.raises(DemandError) as refused:
        read_demand(json.dumps(members).encode())
    assert refused.value.member == member
