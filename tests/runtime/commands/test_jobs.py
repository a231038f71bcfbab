"""`relay jobs` as a user meets it: who leads, how jobs went, run one now."""

import json
import time

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from relay.runtime.cli import main
from relay.runtime.commands import ledger_session as consulting

OPERATOR = "ZOPA000001"


def told(answer):
    return {job["name"]: job for job in json.loads(answer.stdout)["jobs"]}


class TestList:
    async def test_before_anything_ran_all_of_it_is_due_and_nobody_leads(self, new_premises):
        answer = await new_premises.relay("jobs", "list")
        assert answer.exit_code == 0
        assert answer.stdout.splitlines() == [
            "nobody leads: start `relay serve` or `relay serve --role jobs`",
            "",
            "job             succeeded  due      failures",
            "directory       never      at once         0",
            "directory_full  never      at once         0",
            "statistics      never      at once         0",
            "retention       never      at once         0",
            "",
        ]

    async def test_what_a_job_did_is_told_with_its_calls_at_80_columns(self, premises):
        await premises.relay("jobs", "run", "directory_full")
        answer = await premises.relay("jobs", "list")
        lines = answer.stdout.splitlines()
        assert "directory_full: nothing changed" in lines
        full = next(line for line in lines if line.startswith("directory_full  20"))
        assert full.split()[3].startswith("20")  # due again tomorrow
        assert [line.split()[0] for line in lines[-3:]] == ["지원-003", "지원-002", "지원-001"]
        assert max(cell_len(line) for line in lines if not line.startswith("directory: taken: ")) <= 80

    async def test_a_job_that_failed_is_no_success_and_its_first_words_are_told(self, premises):
        premises.portal.misbehave("지원-002", "doubled")
        await premises.relay("jobs", "run", "directory")
        answer = await premises.relay("jobs", "list")
        assert answer.exit_code == 1
        assert "directory: 지원-002 is invalid: 1 problem: ... (all of it: --json)\n" in answer.stdout
        job = told(await premises.relay("jobs", "list", "--json"))["directory"]
        assert (job["failures"], job["told"].count("\n")) == (1, 1)

    async def test_who_leads_and_until_when_is_told(self, premises, ledger):
        await ledger.jobs.lead("here:1:ab", 30, int(time.time()))
        assert (await premises.relay("jobs", "list")).stdout.startswith("leading: here:1:ab, term 3, until 20")
        leader = json.loads((await premises.relay("jobs", "list", "--json")).stdout)["leader"]
        assert (leader["holder"], leader["term"], leader["leads"]) == ("here:1:ab", 3, True)

    async def test_a_term_that_a_wrong_clock_wrote_leads_nobody(self, premises, ledger):
        await ledger.jobs.lead("here:1:ab", 30, int(time.time()) + 86_400)
        assert (await premises.relay("jobs", "list")).stdout.startswith("nobody leads")
        assert json.loads((await premises.relay("jobs", "list", "--json")).stdout)["leader"]["leads"] is False
        answer = await premises.relay("jobs", "run", "retention")
        assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "nothing to remove\n", "")

    async def test_what_somebody_waits_for_is_due_at_once(self, premises, ledger):
        await ledger.jobs.ask("directory", int(time.time()))
        assert told(await premises.relay("jobs", "list", "--json"))["directory"]["asked"] is True

    async def test_without_a_portal_only_what_runs_is_listed(self, premises):
        premises.without_portal()
        answer = await premises.relay("jobs", "list", "--json")
        assert (answer.exit_code, list(told(answer))) == (0, ["retention"])


class TestRun:
    async def test_a_job_runs_here_when_nobody_leads_and_leadership_is_given_back(self, premises, ledger):
        answer = await premises.relay("jobs", "run", "retention")
        assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "nothing to remove\n", "")
        assert (await ledger.jobs.leader()).until <= time.time()

    async def test_machines_are_told_how_it_stands(self, premises):
        answer = await premises.relay("jobs", "run", "directory", "--json")
        job = json.loads(answer.stdout)
        assert (answer.exit_code, job["name"], job["failures"], job["told"]) == (0, "directory", 0, "nothing changed")
        premises.portal.misbehave("지원-003", "html", times=2)
        answer = await premises.relay("jobs", "run", "directory", "--json")
        assert (answer.exit_code, json.loads(answer.stdout)["failures"]) == (1, 1)

    async def test_a_job_that_fails_is_told_on_stderr(self, premises):
        premises.portal.misbehave("지원-002", "error_500", times=2)
        answer = await premises.relay("jobs", "run", "directory")
        assert (answer.exit_code, answer.stdout) == (1, "")
        assert answer.stderr.startswith("the portal gave no registry: 지원-002: ")

    async def test_while_another_instance_leads_it_is_asked_and_waited_for(self, premises, jobs_process, ledger):
        async with jobs_process() as process:
            premises.registry.change(OPERATOR, name="다른이름")
            answer = await premises.relay("jobs", "run", "directory_full")
            leader = (await ledger.jobs.leader()).holder
            assert process.leads
        assert (answer.exit_code, answer.stderr) == (0, f"{leader} leads and is asked to run directory_full\n")
        assert answer.stdout == "taken: organisations 0 new, 1 changed, 0 gone; services 0 new, 0 changed, 0 gone\n"

    async def test_what_fails_at_the_instance_that_leads_is_a_failure_here(self, premises, jobs_process):
        async with jobs_process():
            premises.portal.misbehave("지원-003", "garbage", times=2)
            answer = await premises.relay("jobs", "run", "directory_full")
        assert answer.exit_code == 1
        assert "the portal gave no registry: 지원-003: " in answer.stderr

    async def test_a_leader_that_was_killed_is_not_waited_for_longer_than_its_term(self, premises, ledger):
        await ledger.jobs.lead("gone", 2, int(time.time()))
        answer = await premises.relay("jobs", "run", "retention")
        assert (answer.exit_code, answer.stdout) == (0, "nothing to remove\n")
        assert answer.stderr == "gone leads and is asked to run retention\n"
        assert (await ledger.jobs.jobs())["retention"].failures == 0

    async def test_a_leader_that_does_not_run_it_is_not_waited_for_without_end(self, premises, ledger, monkeypatch):
        monkeypatch.setattr(consulting, "WAIT_S", 0.1)
        await ledger.jobs.lead("busy", 60, int(time.time()))
        answer = await premises.relay("jobs", "run", "retention")
        assert (answer.exit_code, answer.stdout) == (1, "")
        assert "retention was asked for, but the instance that leads has not ended it in 0 s" in answer.stderr

    @pytest.mark.parametrize("name", ["directory", "directory_full", "statistics"])
    async def test_a_job_that_needs_a_portal_does_not_run_without_one(self, premises, name):
        premises.without_portal()
        answer = await premises.relay("jobs", "run", name)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert answer.stderr.startswith("there is no portal in the settings")

    def test_a_job_that_nobody_knows_is_a_wrong_call(self):
        answer = CliRunner().invoke(main, ["jobs", "run", "laundry"])
        assert answer.exit_code == 2
        assert "'directory', 'directory_full', 'statistics', 'retention'" in answer.stderr


@pytest.mark.parametrize("args", [[], ["list"], ["run"]], ids=lambda args: args[0] if args else "group")
def test_help_tells_what_it_does(args):
    answer = CliRunner().invoke(main, ["jobs", *args, "--help"])
    assert answer.exit_code == 0
    assert ("Examples:" in answer.stdout and "Exit code 0" in answer.stdout) or args
