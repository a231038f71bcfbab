"""The program `python -m chaos.attack`: what it judges, its output, its exit status."""

import json

import pytest
from click.testing import CliRunner

from chaos import attack
from chaos.attack import Plan, Watch, main

COLUMNS = 80


@pytest.fixture
def figures(monkeypatch):
    """Figures that the program reports instead of attacking; `plans` are the plans it was given."""
    result = {"ok": True, "plans": []}

    async def return_figures(plan, folder):
        assert folder.exists()
        result["plans"].append(plan)
        return {"ok": result["ok"], "most_in_a_second": 54}

    monkeypatch.setattr(attack, "attack", return_figures)
    return result


def run(*words):
    return CliRunner().invoke(main, list(words), prog_name="chaos.attack")


def test_the_help_fits_80_columns():
    done = run("--help")
    assert done.exit_code == 0
    assert max(map(len, done.output.splitlines())) < COLUMNS


@pytest.mark.parametrize(("ok", "status"), [(True, 0), (False, 1)])
def test_the_status_says_whether_the_limits_held(figures, ok, status):
    figures["ok"] = ok
    done = run("--seconds", "9", "--rate", "30", "--outage")
    assert (done.exit_code, figures["plans"]) == (status, [Plan(9.0, 30.0, has_outage=True)])
    assert "most_in_a_second     54" in done.output


def test_the_figures_are_json_on_request(figures):
    assert json.loads(run("--json").stdout) == {"ok": True, "most_in_a_second": 54}


@pytest.mark.parametrize(
    ("times", "most"), [([], 0), ([1.0], 1), ([1.0, 1.5, 2.0, 2.1], 3), ([1.0, 2.5, 4.0], 1), ([1.0, 1.1, 1.2], 3)]
)
def test_the_most_calls_of_any_second_are_found(times, most):
    watch = Watch()
    watch.times = times
    assert watch.most_in_a_second == most
