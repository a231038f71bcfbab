import asyncio
import errno
import json
import subprocess
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from mydata_sandbox.commands import demo
from mydata_sandbox.commands.demo import command
from mydata_sandbox.commands.demo_output import describe_next_steps
from mydata_sandbox.environment import running as module
from mydata_sandbox.operator.client import Call

from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.upgrading import upgrade
from relay.standard.catalogue import load_catalogue


@pytest.fixture
def calls():
    return [
        Call("은행-001", "bank", "ZBAA000001", "GET", "/v1/bank/accounts", 200, "00000", 1.25, ok=True),
        Call("카드-002", "card", "ZCDA000001", "GET", "/v1/card/cards/{card_id}", 404, "40402", why=["no such card"]),
    ]


@pytest.fixture
def requested(calls, monkeypatch):
    """Replaces the environment, and the calls by prepared results. Returns the options of the environments."""
    requests = []

    @asynccontextmanager
    async def run_environment(folder, **options):
        requests.append((folder, options))
        environment = SimpleNamespace(institutions={})
        yield SimpleNamespace(environment=environment, catalogue=load_catalogue())

    async def make_calls(_, report):
        for call in calls:
            report(call)
        return calls

    monkeypatch.setattr(demo, "running_environment", run_environment)
    monkeypatch.setattr(demo, "make_all_calls", make_calls)
    return requests


@pytest.fixture
def relay_demo():
    """Runs the command as a process."""

    def run(*arguments):
        command = [sys.executable, "-m", "mydata_sandbox", "demo", "--json", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_one_wrong_answer_fails_the_demo(requested, calls):
    assert CliRunner().invoke(command, ["--json"]).exit_code == 1
    del calls[1]
    assert CliRunner().invoke(command, ["--json"]).exit_code == 0


def test_no_calls_fail_the_demo(requested, calls):
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


@pytest.mark.parametrize("in_clone", [True, False])
def test_the_table_ends_with_counts_and_next_steps(requested, tmp_path, monkeypatch, in_clone):
    monkeypatch.chdir(tmp_path)
    if in_clone:
        (tmp_path / "docs" / "start").mkdir(parents=True)
        (tmp_path / "docs" / "start" / "operator.md").touch()
    result = CliRunner().invoke(command)
    assert result.exit_code == 1
    (counts,) = [line for line in result.output.splitlines() if " calls ok, " in line]
    assert counts.startswith("1 of 2 calls ok, 1 ms in calls, ")
    assert "failed: 카드-002 at ZCDA000001\n" in result.output
    assert result.output.endswith(describe_next_steps(has_relay=False, in_clone=in_clone))


def test_json_lines_follow_the_calls_and_end_with_a_summary(requested):
    result = CliRunner().invoke(command, ["--json"])
    first, second, last = map(json.loads, result.output.splitlines())
    assert (result.exit_code, first["api_id"], second["why"]) == (1, "은행-001", ["no such card"])
    assert last == {"summary": {"calls": 2, "ok": 1}}


def test_a_reader_that_ends_early_is_no_error(requested, monkeypatch):
    async def write_into_a_closed_pipe(*_):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(demo, "make_all_calls", write_into_a_closed_pipe)
    result = CliRunner().invoke(command, ["--json"])
    assert (result.exit_code, result.output) == (1, "")


@pytest.mark.parametrize(("arguments", "ledger"), [([], ""), (["--ledger", "postgresql://h/d"], "postgresql://h/d")])
def test_the_ledger_is_a_file_by_default(requested, calls, arguments, ledger):
    CliRunner().invoke(command, ["--json", *arguments])
    assert [options for _, options in requested] == [{"ledger": ledger, "portal": True, "own": None}]


@pytest.mark.parametrize(
    "words",
    ["the ledger does not answer", "or correct ledger.url (ledger.url holds the URL of --ledger)"],
)
def test_an_unusable_ledger_is_one_line_without_its_password(relay_demo, words):
    result = relay_demo("--ledger", "postgresql://relay:Zq7marker@127.0.0.1:1/d")
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
        assert (last, result.returncode) == ({"summary": {"calls": 148, "ok": 148}}, 0)
        assert postgresql.sql(url, "select count(*) from consents where state = 'active'").strip() == "10"
        assert list(folder.glob("ledger.db*")) == []


def test_another_kind_of_ledger_is_refused_without_its_password():
    result = CliRunner().invoke(command, ["--ledger", "mysql://relay:Zq7marker@127.0.0.1/d"])
    assert result.exit_code == 2
    assert "--ledger: is neither sqlite:PATH nor postgresql://HOST/DATABASE" in result.output
    assert "Zq7marker" not in result.output


def test_a_ledger_with_other_keys_is_refused_in_one_line(relay_demo, postgresql):
    url = postgresql.database()
    asyncio.run(upgrade(url, Sealer([CustomerKey("customers-2026", b"1" * 32)])))
    result = relay_demo("--ledger", url)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert "the ledger knows the customer key 'customers-2026'" in result.stderr
    assert postgresql.sql(url, "select kid from key_marks") == "customers-2026\n"


def test_an_ended_relay_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "SERVE", (sys.executable, "-c", "print('no such key'); raise SystemExit(2)"))
    result = CliRunner().invoke(command, ["--dir", str(tmp_path / "sandbox")])
    assert result.exit_code == 1
    assert "no such key" in result.output


def test_a_ledger_does_not_go_with_a_relay():
    result = CliRunner().invoke(command, ["--relay", "https://127.0.0.1:9443", "--ledger", "postgresql://h/d"])
    assert (result.exit_code, "--ledger is for the relay that the sandbox starts" in result.output) == (2, True)
