"""Institutions of a running sandbox fail by command."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from mydata_sandbox.commands.misbehave import command
from mydata_sandbox.credentials.authority import CertificateFiles
from mydata_sandbox.institution.failure_modes import FAILURE_MODES
from mydata_sandbox.operator.client import open_session

DOCS = Path(__file__).parents[3] / "docs"
TABLES = [DOCS / "reference" / "portal-sandbox.md", DOCS / "start" / "operator.md", DOCS / "start" / "operator.ko.md"]


@pytest.fixture
def run(for_programs):
    folder = str(for_programs.folder / "sandbox")
    yield lambda *arguments: CliRunner().invoke(command, ["--dir", folder, *arguments])
    CliRunner().invoke(command, ["--dir", folder, "--clear"])


@pytest.fixture
def call(for_programs):
    """Calls the bank's list of accounts. Returns status and rsp_code."""
    facts = for_programs.facts

    async def send():
        code = facts["org_codes"]["bank"]
        operator = CertificateFiles(facts["certs"]["operator-1"], facts["keys"]["operator-1"], None)
        headers = {
            "Authorization": f"Bearer {facts['tokens'][code]}",
            "x-api-tran-id": "ZOPA000001M00000000000001",
            "x-api-type": "user-refresh",
        }
        url = f"{facts['gateway']}/v1/bank/accounts?org_code={code}&search_timestamp=0&limit=20"
        async with open_session(operator, facts["ca"]) as session, session.get(url, headers=headers) as answer:
            return answer.status, (await answer.json())["rsp_code"]

    return lambda: asyncio.run(send())


def test_calls_fail_as_often_as_told(run, call):
    result = run("--api", "은행-001", "--how", "50001", "--times", "2")
    assert result.output.startswith("the next 2 calls of 은행-001: 50001, refuses: ")
    assert [call(), call()] == [(500, "50001")] * 2
    assert run("--list").output == "no institution fails\n"


def test_rules_are_listed_and_cleared(run):
    run("--api", "BA04", "--page", "2", "--how", "timeout", "--org-code", "ZBAA000001")
    assert [rule["page"] for rule in json.loads(run("--list", "--json").output)] == [2]
    assert "of page 2 at ZBAA000001: timeout" in run("--list").output
    assert json.loads(run("--clear", "--json").output) == {"result": "no institution fails"}


def test_the_modes_say_what_an_operator_gets(run):
    rows = json.loads(run("--modes", "--json").output)
    assert [row["how"] for row in rows] == list(FAILURE_MODES)
    output = run("--modes").output
    assert all(how in output for how in FAILURE_MODES)
    assert [line for line in output.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "use --api with --how, or one of --list, --clear and --modes"),
        (["--list", "--clear"], "use --api with --how"),
        (["--api", "BA04"], "--api and --how go together"),
        (["--api", "BA04", "--how", "sulk"], "how is an rsp_code (42901, 50001, ...) or one of timeout,"),
        (["--api", "XX99", "--how", "slow"], "write 은행-004, BA04 or all"),
    ],
)
def test_a_wrong_option_is_explained(run, arguments, words):
    result = run(*arguments)
    assert result.exit_code != 0
    assert words in " ".join(result.output.split())


def test_a_sandbox_must_run(tmp_path):
    result = CliRunner().invoke(command, ["--dir", str(tmp_path), "--list"])
    assert (result.exit_code, "no sandbox in" in result.output) == (1, True)


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_the_tables_have_all_modes(page):
    text = page.read_text()
    rows = {how: f"{mode.status} | {mode.rsp_code or '-'}" for how, mode in FAILURE_MODES.items()}
    assert [how for how, seen in rows.items() if f"| `{how}` | {seen} |" not in text] == []
