"""Tests of the jobs process: leadership, reloads, stop, failures at the start."""

import asyncio
import os
import signal
import time
from dataclasses import replace

import pytest
from click.testing import CliRunner

from relay.infra.ledger.schema import SchemaError
from relay.infra.registry.leadership import LedgerLeadership
from relay.jobs.runner import TICK_S
from relay.runtime.cli import main
from relay.runtime.processes import jobs as module
from relay.runtime.processes.jobs import JobsProcess
from relay.runtime.settings.loading import SettingsError
from relay.runtime.wiring.credentials import CredentialError
from relay.runtime.wiring.jobs import build_job_set

NOWHERE = "https://127.0.0.1:1"


@pytest.fixture(autouse=True)
def log_info(caplog):
    caplog.set_level("INFO")


async def request_job(ledger, running, name="directory_full"):
    """Requests a job, waits until it ended and returns its state."""
    await ledger.jobs.request_run(name, int(time.time()))
    requested_at = (await ledger.jobs.load_states())[name].requested_at
    async with asyncio.timeout(20):
        while not requested_at <= (state := (await ledger.jobs.load_states())[name]).begun_at <= state.ended_at:
            assert not running.task.done()
            await asyncio.sleep(0.01)
    return state


async def test_it_leads_runs_due_jobs_and_resigns_at_once(deployment, jobs_process, ledger, caplog):
    async with jobs_process() as running:
        leader = await ledger.jobs.load_leader()
        assert leader.until > time.time()
        await running.until(lambda: "job retention: nothing to remove" in caplog.text)
        await running.until(lambda: "job statistics: " in caplog.text)
    after = await ledger.jobs.load_leader()
    assert (after.fence, after.until <= time.time()) == (leader.fence, True)
    assert "jobs ready: jobs=directory,directory_full,statistics,retention" in caplog.text
    assert "jobs stopped" in caplog.text


async def test_an_empty_registry_is_synced_at_the_start(new_deployment):
    process = JobsProcess(new_deployment.path)
    ran = asyncio.create_task(process.run())
    async with asyncio.timeout(20):
        await new_deployment.portal.wait_for_call(lambda call: call.api_id == "지원-003" and call.succeeded)
        process.stop()
        await ran


async def test_without_a_portal_only_retention_runs(deployment, jobs_process, ledger, caplog):
    deployment.without_portal()
    async with jobs_process() as running:
        await running.until(lambda: "job retention: nothing to remove" in caplog.text)
    assert "jobs ready: jobs=retention\n" in caplog.text
    assert list(deployment.portal.received) == []


async def test_the_second_instance_leads_within_a_tick_of_a_stop(deployment, jobs_process):
    async with jobs_process(tick_s=TICK_S) as first, jobs_process(tick_s=TICK_S, leads=False) as second:
        assert (first.leads, second.leads) == (True, False)
        first.process.stop()
        await first.task
        stopped_at = time.monotonic()
        await second.until(lambda: second.leads)
        assert time.monotonic() - stopped_at < TICK_S + 1  # and a second for a busy machine


async def test_the_second_instance_leads_within_a_term_of_a_kill(deployment, jobs_process, monkeypatch):
    """A killed process does not resign."""

    async def skip_resign(_):
        """Does nothing."""

    async with jobs_process(term_s=2) as first, jobs_process(term_s=2, leads=False) as second:
        with monkeypatch.context() as killed:
            killed.setattr(LedgerLeadership, "resign", skip_resign)
            first.process.stop()
            await first.task
        killed_at = time.monotonic()
        assert not second.leads
        await second.until(lambda: second.leads)
        assert time.monotonic() - killed_at < 2 + 1 + 1  # the term, a tick, and a second, the resolution of terms
        assert second.runner.term.fence > first.fence


async def test_sighup_applies_a_new_portal_address(deployment, jobs_process, ledger, caplog):
    right_url = deployment.base_url
    deployment.put(portal={"base_url": NOWHERE})
    async with jobs_process() as running:
        assert "the portal gave no registry" in (await request_job(ledger, running)).result
        deployment.put(portal={"base_url": right_url})
        os.kill(os.getpid(), signal.SIGHUP)
        await running.until(lambda: "settings applied: role=jobs" in caplog.text)
        state = await request_job(ledger, running)
    assert (state.failures, state.result) == (0, "nothing changed")


async def test_changed_files_are_reloaded_without_a_signal(deployment, jobs_process, caplog):
    deployment.put(reload={"watch_s": 0.01})
    async with jobs_process() as running:
        deployment.put(retention={"requests_days": 7})
        await running.until(lambda: "settings applied: role=jobs" in caplog.text)
        assert running.process.reloader.loaded.settings.retention.requests_days == 7


@pytest.mark.parametrize(
    "spoil",
    [
        lambda deployment: deployment.put(portal={"sync_s": "soon"}),
        lambda deployment: deployment.put(portal={"ca": "certs/gone.pem"}),
        lambda deployment: deployment.path.write_text("{"),
        lambda deployment: (os.mkfifo(deployment.path.parent / "fifo"), deployment.put(portal={"ca": "fifo"})),
    ],
    ids=["value", "file", "yaml", "fifo"],
)
async def test_settings_that_cannot_be_used_leave_the_last_good_ones(deployment, jobs_process, ledger, caplog, spoil):
    right = deployment.path.read_text()
    async with jobs_process() as running:
        loaded = running.process.reloader.loaded
        spoil(deployment)
        os.kill(os.getpid(), signal.SIGHUP)
        await running.until(lambda: "settings rejected, plan stays: role=jobs" in caplog.text)
        assert running.process.reloader.loaded is loaded
        assert (await request_job(ledger, running)).result == "nothing changed"
        deployment.path.write_text(right)
        os.kill(os.getpid(), signal.SIGHUP)
        await running.until(lambda: "settings applied: role=jobs" in caplog.text)


async def test_connections_of_former_settings_are_closed_later(deployment, jobs_process, monkeypatch):
    closed = []

    def build(*args):
        job_set = build_job_set(*args)

        async def close():
            closed.append(job_set)
            await job_set.close()

        return replace(job_set, close=close)

    monkeypatch.setattr(module, "build_job_set", build)
    monkeypatch.setattr(module, "CHECK_S", 0.01)
    async with jobs_process() as running:
        for count in (1, 2, 3):
            os.kill(os.getpid(), signal.SIGHUP)
            await running.until(lambda count=count: running.process.reloader.applied == count)
        assert closed == []
        monkeypatch.setattr(module, "REPLACED_S", 0.0)
        await running.until(lambda: len(closed) == 3)
    assert len(closed) == 4


async def test_a_cancelled_process_resigns(deployment, jobs_process, ledger):
    async with jobs_process() as running:
        running.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running.task
        assert (await ledger.jobs.load_leader()).until <= time.time()
        running.task = asyncio.create_task(asyncio.sleep(0))


async def test_invalid_settings_start_no_process(deployment):
    deployment.path.write_text("relay: {}")
    with pytest.raises(SettingsError):
        JobsProcess(deployment.path)


@pytest.mark.parametrize(
    ("spoil", "raised"),
    [
        (lambda deployment: deployment.put(ledger={"url": "sqlite:empty.db"}), SchemaError),
        (lambda deployment: (deployment.path.parent / "certs" / "ca.pem").write_text("none"), Exception),
        (lambda deployment: deployment.redis("http://there"), CredentialError),
    ],
    ids=["ledger", "certificate", "redis"],
)
async def test_unusable_settings_end_the_start(deployment, spoil, raised):
    spoil(deployment)
    with pytest.raises(raised):
        await JobsProcess(deployment.path).run()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:empty.db", "relay: the ledger has no tables yet: run `relay migrate -c relay.yaml`\n"),
        ("postgresql://127.0.0.1:1/relay", "relay: the ledger does not answer ("),
    ],
)
def test_an_unusable_ledger_is_reported_in_one_line(broken_settings, url, words):
    answer = CliRunner().invoke(main, ["serve", "--role", "jobs", "-c", str(broken_settings(ledger=url))])
    assert (answer.exit_code, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)
    assert answer.stderr.startswith(words)
