import sys

import pytest
from click.testing import CliRunner
from rich.console import Console

from relay.runtime import neighbourhood
from relay.runtime.commands import demo
from relay.runtime.commands.demo import command
from relay.sandbox.operator import Call


@pytest.fixture
def calls():
    return [
        Call("은행-001", "bank", "ZBAA000001", "GET", "/v1/bank/accounts", 200, "00000", 1.25, ok=True),
        Call("카드-002", "card", "ZCDA000001", "GET", "/v1/card/cards/{card_id}", 404, "40402", why=["no such card"]),
    ]


@pytest.fixture
def walked(calls, monkeypatch):
    """Calls told without making them."""

    async def lines(_):
        return calls

    monkeypatch.setattr(demo, "_as_lines", lines)


def test_one_wrong_answer_makes_the_demo_fail(walked, calls):
    assert CliRunner().invoke(command, ["--json"]).exit_code == 1
    del calls[1]
    assert CliRunner().invoke(command, ["--json"]).exit_code == 0


def test_no_call_at_all_is_no_success(walked, calls):
    calls.clear()
    assert CliRunner().invoke(command, ["--json"]).exit_code == 1


def test_a_row_says_why_only_when_something_is_wrong(calls):
    assert list(calls[0].row()) == [
        "api_id",
        "industry",
        "org_code",
        "method",
        "path",
        "status",
        "rsp_code",
        "ms",
        "ok",
    ]
    assert calls[1].row()["why"] == ["no such card"]


def test_a_fault_stands_beneath_its_call_in_the_table(calls):
    console = Console(width=80)
    with console.capture() as captured:
        console.print(demo._table(calls))
    assert [line.split() for line in captured.get().splitlines()] == [
        ["API", "path", "answer", "ms"],
        ["은행-001", "GET", "/v1/bank/accounts", "200", "00000", "1.2", "ok"],
        [],
        ["카드-002", "GET", "/v1/card/cards/{card_id}", "404", "40402", "0.0", "no"],
        ["no", "such", "card"],
    ]


def test_a_relay_that_dies_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(neighbourhood, "SERVE", (sys.executable, "-c", "print('no such key'); raise SystemExit(2)"))
    told = CliRunner().invoke(command, ["--dir", str(tmp_path / "street")])
    assert told.exit_code == 1
    assert "no such key" in told.output
