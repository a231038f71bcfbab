"""The jobs as a process: who leads, settings taken anew, its end, what keeps it from starting."""

import asyncio
import os
import signal
import time

import pytest
from click.testing import CliRunner

from relay.infra.ledger.schema import SchemaProblem
from relay.infra.registry.leadership import LedgerLeadership
from relay.jobs.runner import TICK_S
from relay.runtime.cli import main
from relay.runtime.processes import jobs as room
from relay.runtime.processes.jobs import JobsProcess
from relay.runtime.settings.loading import ConfigProblems
from relay.runtime.wiring.credentials import MaterialError

NOWHERE = "https://127.0.0.1:1"


@pytest.fixture(autouse=True)
def told(caplog):
    caplog.set_level("INFO")


async def run_anew(premises, ledger, working, name="directory_full"):
    """Ask for a job and wait until it ended; how it stands then."""
    await ledger.jobs.ask(name, int(time.time()))
    asked_at = (await ledger.jobs.jobs())[name].asked_at
    async with asyncio.timeout(20):
        while not asked_at <= (state := (await ledger.jobs.jobs())[name]).begun_at <= state.ended_at:
            assert not working.ran.done()
            await asyncio.sleep(0.01)
    return state


async def test_it_leads_does_what_is_due_and_gives_leadership_back_at_once(premises, jobs_process, ledger, caplog):
    async with jobs_process() as working:
        leader = await ledger.jobs.leader()
        assert leader.until > time.time()
        await working.until(lambda: "job retention: nothing to remove" in caplog.text)
        await working.until(lambda: "job statistics: " in caplog.text)
    after = await ledger.jobs.leader()
    assert (after.fence, after.until <= time.time()) == (leader.fence, True)
    assert "jobs ready: directory, directory_full, statistics, retention" in caplog.text
    assert "jobs stopped" in caplog.text


async def test_a_registry_never_heard_is_asked_for_at_the_start(new_premises):
    process = JobsProcess(new_premises.path)
    ran = asyncio.create_task(process.run())
    async with asyncio.timeout(20):
        await new_premises.portal.heard(lambda call: call.api_id == "지원-003" and call.well)
        process.stop()
        await ran


async def test_without_a_portal_it_tidies_the_ledger_alone(premises, jobs_process, ledger, caplog):
    premises.without_portal()
    async with jobs_process() as working:
        await working.until(lambda: "job retention: nothing to remove" in caplog.text)
    assert "jobs ready: retention\n" in caplog.text
    assert list(premises.portal.received) == []


async def test_of_two_one_leads_and_the_other_within_a_tick_of_its_end(premises, jobs_process):
    async with jobs_process(tick_s=TICK_S) as first, jobs_process(tick_s=TICK_S, leads=False) as second:
        assert (first.leads, second.leads) == (True, False)
        first.process.stop()
        await first.ran
        stopped = time.monotonic()
        await second.until(lambda: second.leads)
        assert time.monotonic() - stopped < TICK_S + 1  # and a second, for a machine that has other things to do


async def test_when_the_one_that_leads_is_killed_the_other_leads_within_a_term(premises, jobs_process, monkeypatch):
    """Killed: it writes nothing any more, leadership is not given back."""

    async def nothing(_):
        """Who is killed resigns nothing."""

    async with jobs_process(term_s=2) as first, jobs_process(term_s=2, leads=False) as second:
        with monkeypatch.context() as killed:
            killed.setattr(LedgerLeadership, "resign", nothing)
            first.process.stop()
            await first.ran
        died = time.monotonic()
        assert not second.leads
        await second.until(lambda: second.leads)
        assert time.monotonic() - died < 2 + 1 + 1  # the term, a tick, and a second, which moments are counted in
        assert second.runner.term.fence > first.fence


async def test_on_hangup_the_portal_is_asked_where_settings_say_now(premises, jobs_process, ledger, caplog):
    where = premises.base_url
    premises.put(portal={"base_url": NOWHERE})
    async with jobs_process() as working:
        assert "the portal gave no registry" in (await run_anew(premises, ledger, working)).told
        premises.put(portal={"base_url": where})
        os.kill(os.getpid(), signal.SIGHUP)
        await working.until(lambda: "jobs took plan" in caplog.text)
        state = await run_anew(premises, ledger, working)
    assert (state.failures, state.told) == (0, "nothing changed")


async def test_files_that_change_are_taken_without_being_told(premises, jobs_process, caplog):
    premises.put(reload={"watch_s": 0.01})
    async with jobs_process() as working:
        premises.put(retention={"requests_days": 7})
        await working.until(lambda: "jobs took plan" in caplog.text)
        assert working.process._loaded.settings.retention.requests_days == 7


@pytest.mark.parametrize(
    "spoil",
    [
        lambda premises: premises.put(portal={"sync_s": "soon"}),
        lambda premises: premises.put(portal={"ca": "certs/gone.pem"}),
        lambda premises: premises.path.write_text("{"),
        lambda premises: (os.mkfifo(premises.path.parent / "fifo"), premises.put(portal={"ca": "fifo"})),
    ],
    ids=["value", "file", "yaml", "fifo"],
)
async def test_settings_that_cannot_be_used_leave_the_last_good_ones(premises, jobs_process, ledger, caplog, spoil):
    right = premises.path.read_text()
    async with jobs_process() as working:
        loaded = working.process._loaded
        spoil(premises)
        os.kill(os.getpid(), signal.SIGHUP)
        await working.until(lambda: "settings not taken by the jobs: " in caplog.text)
        assert working.process._loaded is loaded
        assert (await run_anew(premises, ledger, working)).told == "nothing changed"
        premises.path.write_text(right)
        os.kill(os.getpid(), signal.SIGHUP)
        await working.until(lambda: "jobs took plan" in caplog.text)


async def test_lines_of_former_settings_are_closed_when_no_job_can_be_using_them(premises, jobs_process, monkeypatch):
    monkeypatch.setattr(room, "LOOK_S", 0.01)
    async with jobs_process() as working:
        for labours in (2, 3, 4):
            os.kill(os.getpid(), signal.SIGHUP)
            await working.until(lambda labours=labours: len(working.process._labours) == labours)
        monkeypatch.setattr(room, "PART_S", 0.0)
        await working.until(lambda: len(working.process._labours) == 1)
    assert working.process._labours == []


async def test_who_is_cancelled_leaves_nothing_behind(premises, jobs_process, ledger):
    async with jobs_process() as working:
        working.ran.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working.ran
        assert (await ledger.jobs.leader()).until <= time.time()
        working.ran = asyncio.create_task(asyncio.sleep(0))


async def test_settings_with_problems_make_no_process(premises):
    premises.path.write_text("relay: {}")
    with pytest.raises(ConfigProblems):
        JobsProcess(premises.path)


@pytest.mark.parametrize(
    ("spoil", "raised"),
    [
        (lambda premises: premises.put(ledger={"url": "sqlite:empty.db"}), SchemaProblem),
        (lambda premises: (premises.path.parent / "certs" / "ca.pem").write_text("none"), Exception),
        (lambda premises: premises.redis("http://there"), MaterialError),
    ],
    ids=["ledger", "certificate", "redis"],
)
async def test_what_cannot_be_used_ends_the_start_and_nothing_stays_open(premises, spoil, raised):
    spoil(premises)
    with pytest.raises(raised):
        await JobsProcess(premises.path).run()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:empty.db", "relay: the ledger has no tables yet: run `relay migrate -c relay.yaml`\n"),
        ("postgresql://127.0.0.1:1/relay", "relay: the ledger does not answer ("),
    ],
)
def test_an_unusable_ledger_is_said_in_one_line(spoilt, url, words):
    answer = CliRunner().invoke(main, ["serve", "--role", "jobs", "-c", str(spoilt(ledger=url))])
    assert (answer.exit_code, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)
    assert answer.stderr.startswith(words)
