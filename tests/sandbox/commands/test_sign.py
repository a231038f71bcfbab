"""Integrated authentication step by step, with both kinds of certifiers."""

import json
import subprocess

import pytest
from click.testing import CliRunner
from mydata_sandbox.commands.sign import command

LAST = ["token", "call", "refresh", "revoke"]
STEPS = {
    "signature": ["consent", "certifier-token", "sign-request", "sign-result", *LAST],
    "identity": ["consent", "sign", *LAST],
}


@pytest.fixture
def run(for_programs):
    folder = str(for_programs.folder / "sandbox")
    return lambda *arguments: CliRunner().invoke(command, ["--dir", folder, *arguments])


@pytest.mark.parametrize("certifier", STEPS)
def test_the_printed_lines_work_when_pasted(run, certifier):
    lines = run("--certifier", certifier).output
    done = subprocess.run(["bash", "-e", "-c", lines], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count('"access_token"') == 2
    assert done.stdout.splitlines()[-1].startswith('{"rsp_code": "00000"')


@pytest.mark.parametrize("certifier", STEPS)
def test_all_steps_run(run, certifier):
    result = run("--certifier", certifier, "--run", "--json", "--org-code", "ZCDA000001", "--customer", "2")
    rows = json.loads(result.output)
    assert [(row["name"], row["exit_code"]) for row in rows] == [(name, 0) for name in STEPS[certifier]]
    assert json.loads(rows[0]["output"])["rcv_org_code"] == "ZOPA000001"
    assert "card.card" in json.loads(rows[-4]["output"])["scope"]


def test_the_steps_are_printed_as_json(run):
    rows = json.loads(run("--json").output)
    assert [row["name"] for row in rows] == ["field", *STEPS["signature"]]
    assert all(row["ko"] and row["en"] for row in rows[1:])
