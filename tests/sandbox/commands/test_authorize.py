"""Individual authentication step by step: the printed lines work in a shell, and so do those of --run."""

import json
import subprocess
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from mydata_sandbox.commands.authorize import command

STEPS = ["authorize", "consent", "token", "call", "refresh", "revoke"]


@pytest.fixture
def run(for_programs):
    folder = str(for_programs.folder / "sandbox")
    return lambda *arguments: CliRunner().invoke(command, ["--dir", folder, *arguments])


@pytest.fixture
def paste():
    """Runs printed lines in a shell, as a person who pastes them."""

    def run_lines(lines):
        done = subprocess.run(["bash", "-e", "-c", lines], capture_output=True, text=True, timeout=60, check=False)
        return SimpleNamespace(status=done.returncode, output=done.stdout, errors=done.stderr)

    return run_lines


def test_the_printed_lines_work_when_pasted(run, paste):
    done = paste(run().output)
    assert (done.status, done.errors) == (0, "")
    assert done.output.count('"access_token"') == 2
    assert done.output.splitlines()[-1].startswith('{"rsp_code": "00000"')


@pytest.mark.parametrize(("org_code", "customer"), [("ZBAA000001", "1"), ("ZUSA000001", "3")])
def test_all_steps_run(run, org_code, customer):
    result = run("--run", "--json", "--org-code", org_code, "--customer", customer)
    rows = json.loads(result.output)
    assert [(row["name"], row["exit_code"]) for row in rows] == [(name, 0) for name in STEPS]
    assert json.loads(rows[3]["output"])["rsp_code"] == "00000"
    assert json.loads(rows[2]["output"])["scope"].startswith(f"{'bank' if org_code[1] == 'B' else 'usury'}.list")


def test_each_step_is_explained_in_both_languages(run):
    output = run().output
    for number in range(1, len(STEPS) + 1):
        korean, english = output.split(f"\n# {number}. ")[1].splitlines()[:2]
        assert not korean.isascii()
        assert english.startswith("#    ")
    assert "x-api-tran-id: ZOPA000001M" in output


def test_every_call_has_a_tran_id_of_its_own(run):
    lines = [line for line in run().output.splitlines() if "x-api-tran-id" in line]
    assert len(lines) == len(set(lines)) == 5


def test_the_output_of_a_run_names_the_steps(run):
    assert "# 6. 토큰을 폐기합니다" in run("--run").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--org-code", "ZZZZ000001"], "org_code ZZZZ000001 is not one of ZBAA000001, "),
        (["--client-id", "X"], "client_id X is not one of ZOPA000001SVC01, "),
        (["--customer-consents", "https://127.0.0.1:1/authentication/x"], "gave no code"),
        (["--customer-consents", "no URL"], "gave no code"),
    ],
)
def test_a_wrong_value_is_explained(run, arguments, words):
    result = run(*arguments)
    assert result.exit_code != 0
    assert words in " ".join(result.output.split())


def test_a_sandbox_must_be_there(tmp_path):
    result = CliRunner().invoke(command, ["--dir", str(tmp_path)])
    assert (result.exit_code, "`mydata-sandbox run` makes one" in result.output) == (1, True)
