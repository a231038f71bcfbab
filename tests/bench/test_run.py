import click
import pytest
from click.testing import CliRunner
from harness.compiled_form import NotCompiled
from harness.gateways import GATEWAYS, QUICK
from parts.idle_connections import Idle
from parts.session import Session
from parts.workers import busiest_share
from rich.console import Console
from run import PARTS, choose, main, make_plan, result_of, with_compiled_form

SIZES = {"seconds": None, "rounds": None, "python": "python3", "tokens": 5000, "idle": 10, "minutes": 0.1}


def session_of(gateways):
    return Session(Console(quiet=True), make_plan(gateways, "get", quick=True, **SIZES), None, None)


def test_names_are_chosen_in_their_own_order():
    assert choose("post, get", ["get", "post", "tls"], []) == ["get", "post"]
    assert choose("", ["get", "post", "tls"], ["tls"]) == ["tls"]
    with pytest.raises(click.BadParameter, match="there is only get"):
        choose("nothing", ["get"], [])


def test_quick_runs_are_shorter_and_have_no_long_parts():
    quick, full = (make_plan([], "", quick=each, **SIZES) for each in (True, False))
    assert quick.seconds * quick.rounds < full.seconds * full.rounds
    assert {name for name, part in PARTS.items() if not part.is_quick} == {"growth", "idle", "endurance"}
    assert set(QUICK) < set(GATEWAYS)


def test_a_compiled_form_that_cannot_be_built_is_left_out(monkeypatch):
    def fail():
        raise NotCompiled("no compiler")

    monkeypatch.setattr("run.build_compiled_form", fail)
    session = session_of(["relay", "relay_compiled"])
    assert with_compiled_form(session) == ["relay"]
    assert session.left_out == {"relay_compiled": "no compiler"}


def test_without_the_compiled_form_nothing_is_built(monkeypatch):
    monkeypatch.delattr("run.build_compiled_form")
    assert with_compiled_form(session_of(["relay"])) == ["relay"]


def test_merged_results_keep_what_is_not_measured_again(monkeypatch):
    monkeypatch.setattr("run.machine", lambda _: {})
    session = session_of(["relay"])
    session.results["cases"] = {"get": {}}
    session.left_out["workers"] = "one core"
    result = result_of(session, {"cases": {"post": {}}, "growth": {"relay": {}}, "left_out": {"cases": "old"}})
    assert (result["cases"], result["growth"]) == ({"get": {}}, {"relay": {}})
    assert result["left_out"] == {"workers": "one core"}


def test_memory_of_an_idle_connection_is_the_growth_without_a_base():
    assert Idle(1000, 100.0, 140.0, 110.0).figures()["kb_each"] == 40.96


def test_the_busiest_process_is_compared_with_all():
    assert busiest_share({1: 100.0, 2: 50.0}, {1: 110.0, 2: 80.0, 3: 10.0}) == 0.6


@pytest.mark.parametrize("option", ["--only", "--case", "--part"])
def test_unknown_names_are_refused(option):
    result = CliRunner().invoke(main, [option, "nothing"])
    assert result.exit_code == 2
    assert "there is only" in result.output


def test_help_has_at_most_80_columns():
    output = CliRunner().invoke(main, ["--help"]).output
    assert max(map(len, output.splitlines())) <= 80
    assert "bench/run.py --part growth" in output
