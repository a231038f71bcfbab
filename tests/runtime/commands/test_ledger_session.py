"""Tests of commands that use the ledger: each error is one line."""

import asyncio
import socket
import time

import pytest
from click.testing import CliRunner

from relay.runtime.cli import main
from relay.runtime.commands.ledger_session import format_time, run_job
from relay.runtime.settings.loading import load_settings

COMMANDS = (
    ["directory", "show"],
    ["directory", "diff"],
    ["directory", "sync"],
    ["directory", "release", "--yes"],
    ["jobs", "list"],
    ["jobs", "run", "retention"],
    ["stats", "show"],
    ["stats", "send"],
    ["stats", "reconcile", "--date", "20260701"],
)


def run_and_fail(file, command, exit_code=2):
    """Runs a command that fails and returns its stderr; stdout stays empty."""
    answer = CliRunner().invoke(main, [*command, "-c", str(file)])
    assert (answer.exit_code, answer.stdout, isinstance(answer.exception, SystemExit)) == (exit_code, "", True)
    return answer.stderr


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_a_ledger_without_tables_is_reported_with_a_remedy(broken_settings, command):
    words = run_and_fail(broken_settings(ledger="sqlite:empty.db"), command)
    assert (words.count("\n"), "run `relay migrate -c relay.yaml`" in words) == (1, True)


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_an_unreachable_ledger_is_reported_in_a_line(broken_settings, command):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound, not listening
        port = sock.getsockname()[1]
        words = run_and_fail(broken_settings(ledger=f"postgresql://127.0.0.1:{port}/relay"), command)
    assert (words.count("\n"), words.startswith("the ledger does not answer (")) == (1, True)


@pytest.mark.parametrize("command", COMMANDS[:1] + COMMANDS[4:5] + COMMANDS[6:7], ids="-".join)
def test_invalid_settings_are_reported_by_file_and_key(broken_settings, command):
    file = broken_settings(text="relay: {org_code: 1}\n")
    assert f"{file}: " in run_and_fail(file, command)
    assert (
        run_and_fail(file.with_name("gone.yaml"), command)
        == f"{file.with_name('gone.yaml')}: does not exist; expected: a YAML file\n"
    )


def test_a_missing_customer_key_is_named(broken_settings):
    file = broken_settings()
    (file.parent / "certs" / "customers.key").unlink()
    assert run_and_fail(file, ["jobs", "list"]).startswith("ledger.customer_keys[0].key: the file ")


def test_an_invalid_redis_url_is_reported_without_its_text(broken_settings):
    file = broken_settings()
    (file.parent / "redis").write_text("http://user:hidden@there")
    file.write_text(file.read_text().replace("jobs:\n", "jobs:\n  redis: file:redis\n"))
    words = run_and_fail(file, ["jobs", "run", "retention"])
    assert words == "jobs.redis: no URL of a Redis; write redis://HOST:PORT/0\n"


async def test_a_job_runs_under_redis_leadership(deployment, ledger, redis_server):
    deployment.put(jobs={"redis": redis_server.url})
    state = await run_job(load_settings(deployment.path, {}), ledger, "retention")
    assert (state.failures, state.result) == (0, "nothing to remove")


async def test_a_request_waits_for_a_run_that_began_after_it(deployment, ledger):
    """A run that began before may have read before the requested data existed."""
    loaded, book = load_settings(deployment.path, {}), ledger.jobs
    now = int(time.time())
    term = await book.lead("busy", 60, now)
    await book.record_start("retention", term.fence, now)
    request = asyncio.create_task(run_job(loaded, ledger, "retention"))
    async with asyncio.timeout(20):
        while (await book.load_states())["retention"].requested_at == 0:
            pass
        await book.record_end("retention", term.fence, well=True, result="the first", due_at=0, now=now)
        await book.record_start("retention", term.fence, now)
        assert not request.done()
        await book.record_end("retention", term.fence, well=True, result="the second", due_at=0, now=now)
        assert (await request).result == "the second"


@pytest.mark.parametrize(
    ("at", "words"),
    [(0, None), (1_795_370_062, "2026-11-23T02:54:22+09:00"), (1, "1970-01-01T09:00:01+09:00")],
)
def test_times_are_printed_in_korea_and_never_is_none(at, words):
    assert format_time(at) == words
