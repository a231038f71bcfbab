import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rich.console import Console

from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.schema import upgrade
from relay.runtime.commands import demo
from relay.runtime.commands.demo import command
from relay.runtime.processes import sandbox_environment as neighbourhood
from relay.sandbox.operator import Call
from relay.standard.catalogue import load_catalogue


@pytest.fixture
def calls():
    return [
        Call("은행-001", "bank", "ZBAA000001", "GET", "/v1/bank/accounts", 200, "00000", 1.25, ok=True),
        Call("카드-002", "card", "ZCDA000001", "GET", "/v1/card/cards/{card_id}", 404, "40402", why=["no such card"]),
    ]


@pytest.fixture
def walked(calls, monkeypatch):
    """Calls told without making them; what comes back are the ledgers that were asked for."""
    ledgers = []

    async def lines(_, ledger):
        ledgers.append(ledger)
        return calls

    monkeypatch.setattr(demo, "_as_lines", lines)
    return ledgers


@pytest.fixture
def around(calls, monkeypatch):
    """A street that is there at once, with a walk that makes these calls."""

    @asynccontextmanager
    async def there(_, **told):
        assert told == {"ledger": "", "portal": True}
        yield SimpleNamespace(street=SimpleNamespace(institutions={"bank": None}), catalogue=load_catalogue())

    async def walk(_, tell):
        for call in calls:
            tell(call)
        return calls

    monkeypatch.setattr(demo, "neighbourhood", there)
    monkeypatch.setattr(demo, "_walk", walk)


@pytest.fixture
def relay_demo():
    """The command as a process of its own, ended."""

    def done(*arguments):
        command = [sys.executable, "-m", "relay", "demo", "--json", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    return done


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


def test_the_table_ends_with_how_many_were_right(around):
    told = CliRunner().invoke(command)
    assert told.exit_code == 1
    assert told.output.splitlines()[-1].startswith("1 of 2 calls ok, 1 ms asking, ")


def test_lines_are_told_as_calls_are_made_and_the_summary_last(around):
    told = CliRunner().invoke(command, ["--json"])
    first, second, last = map(json.loads, told.output.splitlines())
    assert (told.exit_code, first["api_id"], second["why"]) == (1, "은행-001", ["no such card"])
    assert last == {"summary": {"calls": 2, "ok": 1}}


@pytest.mark.parametrize(("arguments", "ledger"), [([], ""), (["--ledger", "postgresql://h/d"], "postgresql://h/d")])
def test_a_ledger_is_a_file_unless_another_is_named(walked, calls, arguments, ledger):
    CliRunner().invoke(command, ["--json", *arguments])
    assert walked == [ledger]


@pytest.mark.parametrize(
    ("ledger", "words"),
    [
        ("mysql://relay:Zq7marker@127.0.0.1/d", "neither sqlite:PATH nor postgresql://HOST/DATABASE"),
        ("postgresql://relay:Zq7marker@127.0.0.1:1/d", "Connection refused"),
    ],
)
def test_a_ledger_that_is_none_is_one_line_without_its_password(relay_demo, ledger, words):
    told = relay_demo("--ledger", ledger)
    assert (told.returncode, told.stdout) == (1, "")
    assert len(told.stderr.splitlines()) == 1
    assert words in told.stderr
    assert "Zq7marker" not in told.stderr


@pytest.mark.full
def test_all_calls_are_right_on_postgresql_too_and_when_it_was_used_before(relay_demo, postgresql, tmp_path):
    url = postgresql.database()
    for folder in (tmp_path / "one", tmp_path / "two"):
        done = relay_demo("--ledger", url, "--dir", folder)
        *lines, last = map(json.loads, done.stdout.splitlines())
        assert [line for line in lines if not line["ok"]] == []
        assert (last, done.returncode) == ({"summary": {"calls": 122, "ok": 122}}, 0)
        assert postgresql.sql(url, "select count(*) from consents where state = 'active'").strip() == "10"
        assert list(folder.glob("ledger.db*")) == []


def test_a_ledger_of_somebody_else_is_refused_in_one_line(relay_demo, postgresql):
    url = postgresql.database()
    asyncio.run(upgrade(url, Sealer([CustomerKey("customers-2026", b"1" * 32)])))
    told = relay_demo("--ledger", url)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == f"Error: {demo.FOREIGN}\n"
    assert postgresql.sql(url, "select kid from key_marks") == "customers-2026\n"


def test_a_relay_that_dies_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(neighbourhood, "SERVE", (sys.executable, "-c", "print('no such key'); raise SystemExit(2)"))
    told = CliRunner().invoke(command, ["--dir", str(tmp_path / "street")])
    assert told.exit_code == 1
    assert "no such key" in told.output
