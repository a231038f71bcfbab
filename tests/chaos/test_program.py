"""The program `python -m chaos`: its options, its output, its exit status."""

import json

import pytest
from click.testing import CliRunner

from chaos.__main__ import main
from chaos.row import Row
from chaos.table import load_states

STATES = load_states()
COLUMNS = 80


def run(*words):
    return CliRunner().invoke(main, list(words), prog_name="chaos")


@pytest.fixture
def rows(monkeypatch):
    """Rows that the program reports instead of producing states; the saved ones are in `saved`."""
    results, saved = [], []

    def run_states(states, report):
        for row in results:
            report(row)

    monkeypatch.setattr("chaos.__main__.run_states", run_states)
    monkeypatch.setattr("chaos.__main__.save_rows", lambda rows: saved.append(list(rows)))
    return results


@pytest.mark.parametrize("option", ["--list", "--help"])
def test_the_output_fits_80_columns(option):
    done = run(option)
    assert done.exit_code == 0
    assert max(map(len, done.output.splitlines())) < COLUMNS


def test_the_list_has_every_state():
    assert set(STATES) <= set(run("--list").output.split())


def test_an_unknown_state_is_refused():
    done = run("--only", "nothing")
    assert (done.exit_code, "no such state or group: nothing" in done.output) == (2, True)


def test_rows_that_are_ok_give_status_0(rows):
    rows.append(Row("one", figures={"seconds": 1.0}))
    done = run("--only", "redis")
    assert (done.exit_code, "1 ok, 0 not ok" in done.output) == (0, True)


def test_a_row_that_is_not_ok_gives_status_1_and_its_problem(rows):
    rows.append(Row(max(STATES, key=len), lost=123, problems=["word " * 40], figures={"seconds": 100.0}))
    done = run()
    assert (done.exit_code, "NOT OK" in done.output) == (1, True)
    assert max(map(len, done.output.splitlines())) < COLUMNS


def test_json_has_the_rows(rows):
    rows.append(Row("one", lost=1, may_lose=2, figures={"seconds": 1.0}))
    done = CliRunner().invoke(main, ["--json"])
    assert json.loads(done.stdout) == {
        "rows": [{"state": "one", "ok": True, "lost": 1, "doubled": 0, "figures": {"seconds": 1.0, "may_lose": 2}}]
    }
