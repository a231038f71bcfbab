"""The table of `relay apis` in terminals and pipes."""

import pytest
from rich.cells import cell_len

from relay.domain.ids import INDUSTRIES
from relay.runtime.commands.apis.table import fill_path, format_table
from relay.standard.catalogue import load_catalogue

APIS = list(load_catalogue().apis.values())


def test_the_table_fits_80_columns():
    lines = format_table(APIS, 80)
    assert {line for line in lines if cell_len(line) > 80} == set()
    assert len(lines) == 2 + 2 * 91 + 1


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_the_table_of_an_industry_fits_80_columns(industry):
    lines = format_table(load_catalogue().iter_apis(industry, later=True), 80)
    assert max(map(cell_len, lines)) <= 80


def test_a_narrow_table_has_every_value():
    text = "\n".join(format_table(APIS, 80))
    for api in APIS:
        assert all(value in text for value in (api.api_id, api.api_code, api.name, fill_path(api), api.scope))


def test_a_narrow_table_explains_later_industries():
    *_, last = lines = format_table(APIS, 80)
    assert last == "* to be offered at a later date"
    assert any("card bank*" in line for line in lines)
    assert not any("*" in line for line in format_table(load_catalogue().iter_apis("p2p"), 80))


def test_a_wide_terminal_gets_one_line_for_each_api():
    assert len(format_table(APIS, 200)) == 92
    assert max(map(cell_len, format_table(APIS, 200))) <= 200


def test_a_pipe_gets_all_industries_in_one_line():
    (line,) = (line for line in format_table(APIS) if line.startswith("정보제공-공통-001"))
    assert " ".join(INDUSTRIES) in line
