"""What stands in the way of a command that looks into the ledger is told in a line, and nothing is done."""

import asyncio
import socket
import time

import pytest
from click.testing import CliRunner

from relay.runtime.cli import main
from relay.runtime.commands.ledger_session import end, job_run, moment
from relay.runtime.settings.loading import load

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


def said(file, command, exit_code=2):
    """What a command says on stderr; stdout stays empty."""
    answer = CliRunner().invoke(main, [*command, "-c", str(file)])
    assert (answer.exit_code, answer.stdout, isinstance(answer.exception, SystemExit)) == (exit_code, "", True)
    return answer.stderr


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_a_ledger_without_tables_is_told_with_what_to_do(spoilt, command):
    words = said(spoilt(ledger="sqlite:empty.db"), command)
    assert (words.count("\n"), "run `relay migrate -c relay.yaml`" in words) == (1, True)


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_a_ledger_that_is_away_is_told_in_a_line(spoilt, command):
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))  # and nobody listens
        port = door.getsockname()[1]
        words = said(spoilt(ledger=f"postgresql://127.0.0.1:{port}/relay"), command)
    assert (words.count("\n"), words.startswith("the ledger does not answer (")) == (1, True)


@pytest.mark.parametrize("command", COMMANDS[:1] + COMMANDS[4:5] + COMMANDS[6:7], ids="-".join)
def test_settings_that_are_wrong_are_told_by_file_and_key(spoilt, command):
    file = spoilt(text="relay: {org_code: 1}\n")
    assert f"{file}: " in said(file, command)
    assert said(file.with_name("gone.yaml"), command) == f"{file.with_name('gone.yaml')}: does not exist, a YAML file\n"


def test_a_customers_key_that_is_gone_is_named(spoilt):
    file = spoilt()
    (file.parent / "certs" / "customers.key").unlink()
    assert said(file, ["jobs", "list"]).startswith("ledger.customer_keys[0].key: the file ")


def test_redis_that_is_no_url_is_told_without_what_stands_there(spoilt):
    file = spoilt()
    (file.parent / "redis").write_text("http://user:hidden@there")
    file.write_text(file.read_text().replace("jobs:\n", "jobs:\n  redis: file:redis\n"))
    words = said(file, ["jobs", "run", "retention"])
    assert words == "jobs.redis: what stands there is no URL of a Redis: redis://HOST:PORT/0\n"


async def test_a_job_is_led_by_redis_where_there_is_one(premises, ledger, redis_server):
    premises.put(jobs={"redis": redis_server.url})
    state = await job_run(load(premises.path, {}), ledger, "retention")
    assert (state.failures, state.told) == (0, "nothing to remove")


async def test_who_asks_waits_for_a_run_that_began_after_it_asked(premises, ledger):
    """The one that runs already may have read before what it is asked for was there."""
    loaded, book = load(premises.path, {}), ledger.jobs
    now = int(time.time())
    term = await book.lead("busy", 60, now)
    await book.begun("retention", term.fence, now)
    asking = asyncio.create_task(job_run(loaded, ledger, "retention"))
    async with asyncio.timeout(20):
        while (await book.jobs())["retention"].asked_at == 0:
            pass
        await book.ended("retention", term.fence, well=True, told="the first", due_at=0, now=now)
        await book.begun("retention", term.fence, now)
        assert not asking.done()
        await book.ended("retention", term.fence, well=True, told="the second", due_at=0, now=now)
        assert (await asking).told == "the second"


@pytest.mark.parametrize(
    ("at", "words"),
    [(0, None), (1_795_370_062, "2026-11-23T02:54:22+09:00"), (1, "1970-01-01T09:00:01+09:00")],
)
def test_moments_are_told_by_koreas_clock_and_never_is_none(at, words):
    assert moment(at) == words


def test_a_command_ends_with_words_and_a_code(capsys):
    with pytest.raises(SystemExit) as ended:
        end("no", 2)
    assert (ended.value.code, capsys.readouterr()) == (2, ("", "no\n"))
