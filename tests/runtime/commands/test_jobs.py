"""Tests of `relay jobs`."""

import json
import time

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from relay.runtime.cli import main
from relay.runtime.commands import ledger_session

OPERATOR = "ZOPA000001"


def jobs_of(answer):
    return {job["name"]: job for job in json.loads(answer.stdout)["jobs"]}


class TestList:
    async def test_before_the_first_run_all_jobs_are_due_and_none_leads(self, new_deployment):
        answer = await new_deployment.relay("jobs", "list")
        assert answer.exit_code == 0
        assert answer.stdout.splitlines() == [
            "no leader: start `relay serve` or `relay serve --role jobs`",
            "",
            "job             succeeded  due  failures",
            "directory       never      now         0",
            "directory_full  never      now         0",
            "statistics      never      now         0",
            "retention       never      now         0",
            "",
        ]

    async def test_last_results_and_calls_fit_80_columns(self, deployment):
        await deployment.relay("jobs", "run", "directory_full")
        answer = await deployment.relay("jobs", "list")
        lines = answer.stdout.splitlines()
        assert "directory_full: nothing changed" in lines
        full = next(line for line in lines if line.startswith("directory_full  20"))
        assert full.split()[3].startswith("20")  # due tomorrow
        assert [line.split()[0] for line in lines[-3:]] == ["지원-003", "지원-002", "지원-001"]
        assert max(cell_len(line) for line in lines if not line.startswith("directory: taken: ")) <= 80

    async def test_a_failed_job_is_listed_with_its_first_line(self, deployment):
        deployment.portal.plan_failure("지원-002", "doubled")
        await deployment.relay("jobs", "run", "directory")
        answer = await deployment.relay("jobs", "list")
        assert answer.exit_code == 1
        assert "directory: 지원-002 is invalid: 1 problem: ... (more: --json)\n" in answer.stdout
        job = jobs_of(await deployment.relay("jobs", "list", "--json"))["directory"]
        assert (job["failures"], job["result"].count("\n")) == (1, 1)

    async def test_the_leader_is_listed_with_its_term(self, deployment, ledger):
        await ledger.jobs.lead("here:1:ab", 30, int(time.time()))
        assert (await deployment.relay("jobs", "list")).stdout.startswith("leader: here:1:ab, term 3, until 20")
        leader = json.loads((await deployment.relay("jobs", "list", "--json")).stdout)["leader"]
        assert (leader["holder"], leader["term"], leader["leads"]) == ("here:1:ab", 3, True)

    async def test_a_term_of_a_wrong_clock_does_not_count(self, deployment, ledger):
        await ledger.jobs.lead("here:1:ab", 30, int(time.time()) + 86_400)
        assert (await deployment.relay("jobs", "list")).stdout.startswith("no leader")
        assert json.loads((await deployment.relay("jobs", "list", "--json")).stdout)["leader"]["leads"] is False
        answer = await deployment.relay("jobs", "run", "retention")
        assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "nothing to remove\n", "")

    async def test_a_requested_job_is_marked(self, deployment, ledger):
        await ledger.jobs.request_run("directory", int(time.time()))
        assert jobs_of(await deployment.relay("jobs", "list", "--json"))["directory"]["requested"] is True

    async def test_without_a_portal_only_retention_is_listed(self, deployment):
        deployment.without_portal()
        answer = await deployment.relay("jobs", "list", "--json")
        assert (answer.exit_code, list(jobs_of(answer))) == (0, ["retention"])


class TestRun:
    async def test_a_job_runs_here_without_a_leader_and_resigns(self, deployment, ledger):
        answer = await deployment.relay("jobs", "run", "retention")
        assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "nothing to remove\n", "")
        assert (await ledger.jobs.load_leader()).until <= time.time()

    async def test_json_has_the_state_of_the_job(self, deployment):
        answer = await deployment.relay("jobs", "run", "directory", "--json")
        job = json.loads(answer.stdout)
        assert (answer.exit_code, job["name"], job["failures"], job["result"]) == (0, "directory", 0, "nothing changed")
        deployment.portal.plan_failure("지원-003", "html", times=2)
        answer = await deployment.relay("jobs", "run", "directory", "--json")
        assert (answer.exit_code, json.loads(answer.stdout)["failures"]) == (1, 1)

    async def test_a_failing_job_is_reported_on_stderr(self, deployment):
        deployment.portal.plan_failure("지원-002", "error_500", times=2)
        answer = await deployment.relay("jobs", "run", "directory")
        assert (answer.exit_code, answer.stdout) == (1, "")
        assert answer.stderr.startswith("the portal gave no registry: 지원-002: ")

    async def test_the_leading_instance_runs_the_job(self, deployment, jobs_process, ledger):
        async with jobs_process() as process:
            deployment.registry.change(OPERATOR, name="다른이름")
            answer = await deployment.relay("jobs", "run", "directory_full")
            leader = (await ledger.jobs.load_leader()).holder
            assert process.leads
        assert (answer.exit_code, answer.stderr) == (0, f"{leader} leads and was asked to run directory_full\n")
        assert answer.stdout == "taken: organisations 0 new, 1 changed, 0 gone; services 0 new, 0 changed, 0 gone\n"

    async def test_a_failure_in_the_leading_instance_is_reported(self, deployment, jobs_process):
        async with jobs_process():
            # enough for the runs that are due when the instance gains leadership, and for the requested one
            deployment.portal.plan_failure("지원-003", "garbage", times=20)
            answer = await deployment.relay("jobs", "run", "directory_full")
        assert answer.exit_code == 1
        assert "the portal gave no registry: 지원-003: " in answer.stderr

    async def test_a_killed_leader_is_waited_for_until_its_term_ends(self, deployment, ledger):
        await ledger.jobs.lead("gone", 2, int(time.time()))
        answer = await deployment.relay("jobs", "run", "retention")
        assert (answer.exit_code, answer.stdout) == (0, "nothing to remove\n")
        assert answer.stderr == "gone leads and was asked to run retention\n"
        assert (await ledger.jobs.load_states())["retention"].failures == 0

    async def test_a_busy_leader_is_not_waited_for_forever(self, deployment, ledger, monkeypatch):
        monkeypatch.setattr(ledger_session, "WAIT_S", 0.1)
        await ledger.jobs.lead("busy", 60, int(time.time()))
        answer = await deployment.relay("jobs", "run", "retention")
        assert (answer.exit_code, answer.stdout) == (1, "")
        assert "retention was requested, but the leading instance has not finished it in 0 s" in answer.stderr

    @pytest.mark.parametrize("name", ["directory", "directory_full", "statistics"])
    async def test_a_job_of_the_portal_needs_one(self, deployment, name):
        deployment.without_portal()
        answer = await deployment.relay("jobs", "run", name)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert answer.stderr.startswith("no portal is configured")

    def test_an_unknown_job_is_a_usage_error(self):
        answer = CliRunner().invoke(main, ["jobs", "run", "laundry"])
        assert answer.exit_code == 2
        assert "'directory', 'directory_full', 'statistics', 'retention'" in answer.stderr


@pytest.mark.parametrize("args", [[], ["list"], ["run"]], ids=lambda args: args[0] if args else "group")
def test_help_describes_the_command(args):
    answer = CliRunner().invoke(main, ["jobs", *args, "--help"])
    assert answer.exit_code == 0
    assert ("Examples:" in answer.stdout and "Exit code 0" in answer.stdout) or args
