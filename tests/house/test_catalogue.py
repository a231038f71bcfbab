"""Compares the catalogue with the official list of the 91 APIs (규격 4장), row by row.

The list is a text of tables: a cell that spans rows is in the first row, or split over the rows of one family
(정보제공-공통-001 and -002 share eleven industries); a long resource is broken into words; `bank*` is an industry that
offers the API later.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from relay.standard.catalogue import load_catalogue

LIST = Path(__file__).with_name("api-list.txt")
NOT_APPLICABLE = "해당 없음"
CYCLES = {"기본": "basic", "추가": "additional", "": None}


@dataclass(frozen=True)
class Row:
    api_id: str
    name: str
    method: str
    path: str
    industries: tuple[str, ...]
    later: tuple[str, ...]
    cycle: str | None


def cells(text):
    for line in text.splitlines():
        columns = [cell.strip() for cell in line.split("\t")]
        if re.match(r"\S+-\d{3}\b", columns[0]) and len(columns) >= 6:
            yield [*columns, ""][:7]


def family(api_id):
    return api_id.split()[0].rpartition("-")[0]


def rows(text):
    shared, version = {}, ""
    for api_id, _, _, industries, *_ in cells(text):
        shared.setdefault(family(api_id), []).extend(industries.replace(NOT_APPLICABLE, "").split())
    for api_id, name, own_version, _, resource, method, cycle in cells(text):
        version = own_version or version
        words = shared[family(api_id)]
        prefix = ("" if version == NOT_APPLICABLE else f"/{version}") + ("/{industry}" if words else "")
        yield Row(
            api_id=api_id.split()[0],
            name=re.sub(r" \([^)]* 공통\)$", "", name),
            method=method,
            path=prefix + resource.replace(" ", ""),
            industries=tuple(word for word in words if not word.endswith("*")),
            later=tuple(word[:-1] for word in words if word.endswith("*")),
            cycle=CYCLES[cycle],
        )


OFFICIAL = {row.api_id: row for row in rows(LIST.read_text())}


@pytest.mark.parametrize("api_id", OFFICIAL)
def test_the_catalogue_matches_the_official_list(api_id):
    api = load_catalogue().apis[api_id]
    row = Row(api.api_id, api.name, api.method, api.path, api.industries, api.later, api.cycle)
    assert row == OFFICIAL[api_id]


def test_the_catalogue_has_the_91_apis_in_the_order_of_the_list():
    assert len(OFFICIAL) == 91
    assert list(load_catalogue().apis) == list(OFFICIAL)


def test_the_parser_reads_split_cells_wrapped_words_and_stars():
    assert OFFICIAL["정보제공-공통-001"].industries == OFFICIAL["정보제공-공통-002"].industries
    assert len(OFFICIAL["정보제공-공통-002"].industries) == 11
    assert OFFICIAL["정보제공-공통-001"].path == "/{industry}/apis"
    assert OFFICIAL["은행-007"].path == "/v1/{industry}/accounts/invest/transactions"
    assert (OFFICIAL["선불-004"].industries, OFFICIAL["선불-004"].later) == (("card",), ("bank",))
    assert OFFICIAL["지원-104"].path == "/v1/mgmts/req-statistics"
    assert OFFICIAL["전금-103"].cycle == "additional"
