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
from relay.runtime.processes import sandbox_environment as module
from relay.sandbox.operator import Call
from relay.standard.catalogue import load_catalogue


@pytest.fixture
def calls():
    return [
        Call("은행-001", "bank", "ZBAA000001", "GET", "/v1/bank/accounts", 200, "00000", 1.25, ok=True),
        Call("카드-002", "card", "ZCDA000001", "GET", "/v1/card/cards/{card_id}", 404, "40402", why=["no such card"]),
    ]


@pytest.fixture
def requested_ledgers(calls, monkeypatch):
    """Replaces the calls by prepared results; returns the ledgers of the commands."""
    ledgers = []

    async def print_lines(_, ledger):
        ledgers.append(ledger)
        return calls

    monkeypatch.setattr(demo, "_print_lines", print_lines)
    return ledgers


@pytest.fixture
def prepared_calls(calls, monkeypatch):
    """Replaces the environment, and the calls by prepared results."""

    @asynccontextmanager
    async def run_environment(_, **options):
        assert options == {"ledger": "", "portal": True}
        yield SimpleNamespace(street=SimpleNamespace(institutions={"bank": None}), catalogue=load_catalogue())

    async def make_calls(_, report):
        for call in calls:
            report(call)
        return calls

    monkeypatch.setattr(demo, "running_environment", run_environment)
    monkeypatch.setattr(demo, "_make_calls", make_calls)


@pytest.fixture
def relay_demo():
    """Runs the command as a process."""

    def run(*arguments):
        command = [sys.executable, "-m", "relay", "demo", "--json", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_one_wrong_answer_fails_the_demo(requested_ledgers, calls):
    assert CliRunner().invoke(command, ["--json"]).exit_code == 1
    del calls[1]
    assert CliRunner().invoke(command, ["--json"]).exit_code == 0


def test_no_calls_fail_the_demo(requested_ledgers, calls):
    calls.clear()
    assert CliRunner().invoke(command, ["--json"]).exit_code == 1


def test_a_row_has_reasons_only_for_a_wrong_answer(calls):
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


def test_a_fault_is_below_its_call_in_the_table(calls):
    console = Console(width=80)
    with console.capture() as captured:
        console.print(demo._build_table(calls))
    assert [line.split() for line in captured.get().splitlines()] == [
        ["API", "path", "answer", "ms"],
        ["은행-001", "GET", "/v1/bank/accounts", "200", "00000", "1.2", "ok"],
        [],
        ["카드-002", "GET", "/v1/card/cards/{card_id}", "404", "40402", "0.0", "no"],
        ["no", "such", "card"],
    ]


def test_the_table_ends_with_a_summary(prepared_calls):
    result = CliRunner().invoke(command)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("1 of 2 calls ok, 1 ms in calls, ")


def test_json_lines_follow_the_calls_and_end_with_a_summary(prepared_calls):
    result = CliRunner().invoke(command, ["--json"])
    first, second, last = map(json.loads, result.output.splitlines())
    assert (result.exit_code, first["api_id"], second["why"]) == (1, "은행-001", ["no such card"])
    assert last == {"summary": {"calls": 2, "ok": 1}}


@pytest.mark.parametrize(("arguments", "ledger"), [([], ""), (["--ledger", "postgresql://h/d"], "postgresql://h/d")])
def test_the_ledger_is_a_file_by_default(requested_ledgers, calls, arguments, ledger):
    CliRunner().invoke(command, ["--json", *arguments])
    assert requested_ledgers == [ledger]


@pytest.mark.parametrize(
    ("ledger", "words"),
    [
        ("mysql://relay:Zq7marker@127.0.0.1/d", "neither sqlite:PATH nor postgresql://HOST/DATABASE"),
        ("postgresql://relay:Zq7marker@127.0.0.1:1/d", "Connection refused"),
    ],
)
def test_an_unusable_ledger_is_one_line_without_its_password(relay_demo, ledger, words):
    result = relay_demo("--ledger", ledger)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert words in result.stderr
    assert "Zq7marker" not in result.stderr


@pytest.mark.full
def test_all_calls_are_right_on_a_used_postgresql(relay_demo, postgresql, tmp_path):
    url = postgresql.database()
    for folder in (tmp_path / "one", tmp_path / "two"):
        result = relay_demo("--ledger", url, "--dir", folder)
        *lines, last = map(json.loads, result.stdout.splitlines())
        assert [line for line in lines if not line["ok"]] == []
        assert (last, result.returncode) == ({"summary": {"calls": 122, "ok": 122}}, 0)
        assert postgresql.sql(url, "select count(*) from consents where state = 'active'").strip() == "10"
        assert list(folder.glob("ledger.db*")) == []


def test_a_ledger_with_other_keys_is_refused_in_one_line(relay_demo, postgresql):
    url = postgresql.database()
    asyncio.run(upgrade(url, Sealer([CustomerKey("customers-2026", b"1" * 32)])))
    result = relay_demo("--ledger", url)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"Error: {demo.FOREIGN}\n"
    assert postgresql.sql(url, "select kid from key_marks") == "customers-2026\n"


def test_an_ended_relay_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "SERVE", (sys.executable, "-c", "print('no such key'); raise SystemExit(2)"))
    result = CliRunner().invoke(command, ["--dir", str(tmp_path / "sandbox")])
    assert result.exit_code == 1
    assert "no such key" in result.output
