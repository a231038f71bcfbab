"""What a process says of itself, and when it takes its settings anew. Its life is told in the scenarios."""

import asyncio
import logging
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml

from relay.admin.endpoints import STALLED_S
from relay.runtime.processes.gateway import RelayProcess
from relay.runtime.settings.loading import ConfigProblems, load
from relay.sandbox.street import build


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    built = build(tmp_path_factory.mktemp("built"), datetime.now(UTC))
    built.close()
    return built


@pytest.fixture
def street(built, tmp_path):
    """The street's folder, to be spoilt by each test."""
    folder = shutil.copytree(built.folder, tmp_path / "street")
    return replace(built, folder=folder, settings=folder / "relay.yaml")


@pytest.fixture
async def process(street):
    process = RelayProcess(street.settings)
    process.relay.access_log.start()
    yield process
    process.relay.access_log.stop()


async def test_it_is_not_ready_before_it_listens_nor_once_it_stops(process):
    assert process.ports == []
    assert process._unready() == ["listeners"]
    process._listening.ports = [1]
    assert process._unready() == []
    process.stop()
    assert process._unready() == ["stopping"]


async def test_it_is_not_ready_once_another_ledger_answers(process):
    process._listening.ports = [1]
    process.relay.grants.is_wrong = True
    assert process._unready() == ["ledger"]


async def test_said_twice_stop_means_at_once(process):
    process.stop()
    assert not process._listening.aborted
    process.stop()
    assert process._listening.aborted


async def test_settings_with_problems_make_no_process(street):
    street.settings.write_text("relay: {}")
    with pytest.raises(ConfigProblems):
        RelayProcess(street.settings)


async def test_settings_that_cannot_be_used_are_counted_named_and_not_taken(process, street, caplog):
    plan = process.relay.gateway.plan
    bank = street.folder / "providers" / "bank.yaml"
    bank.write_text(bank.read_text().replace("industry: bank", "industry: bakery"))
    await process.reload()
    assert process.relay.gateway.plan is plan
    assert (process.relay.reloads, process.relay.reload_failures) == (0, 1)
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert plan.generation in said
    assert "bank.yaml: industry: is none of the choices" in said


async def test_settings_that_can_be_used_are_taken(process, street):
    bank = street.folder / "providers" / "bank.yaml"
    bank.write_text(bank.read_text() + "concurrency: 3\n")
    await process.reload()
    assert (process.relay.reloads, process.relay.reload_failures) == (1, 0)
    assert process.relay.gateway.plan.institutions["ZBAA000001"].concurrency == 3


def news(process):
    """Whether the files look different from what is known."""
    return process._following.look() != process._following._seen


def later(file):
    """As if the file had been written a second after it was."""
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))


@pytest.mark.parametrize(
    "name",
    ["relay.yaml", "directory.yaml", "providers/bank.yaml", "certs/relay.pem", "certs/relay.key.pem", "certs/ca.pem"],
)
async def test_a_file_that_changes_is_seen(process, street, name):
    assert not news(process)
    later(street.folder / name)
    assert news(process)
    await process.reload()
    assert not news(process)


async def test_an_institution_that_comes_or_goes_is_seen(process, street):
    bank = street.folder / "providers" / "bank.yaml"
    kept = bank.read_text()
    bank.unlink()
    assert news(process)
    await process.reload()
    bank.write_text(kept)
    assert news(process)


async def test_files_that_are_none_of_ours_are_not_looked_at(process, street):
    (street.folder / "providers" / "notes.txt").write_text("a")
    (street.folder / "certs" / "other.pem").write_text("a")
    assert not news(process)


async def test_a_file_that_was_missing_at_a_reload_is_news_when_it_comes(process, street):
    text = street.settings.read_text("utf-8")
    street.settings.write_text(text.replace("certs/relay.pem", "certs/new.pem"), "utf-8")
    await process.reload()
    assert process.relay.reload_failures == 1
    shutil.copy(street.folder / "certs" / "relay.pem", street.folder / "certs" / "new.pem")
    assert news(process)
    await process.reload()
    assert (process.relay.reload_failures, process.relay.reloads) == (1, 1)


async def test_a_change_during_a_reload_is_news(process, street, monkeypatch):
    bank = street.folder / "providers" / "bank.yaml"
    read = load

    def slow(*settings):
        loaded = read(*settings)
        later(bank)
        return loaded

    monkeypatch.setattr("relay.runtime.processes.gateway.load", slow)
    await process.reload()
    assert news(process)


@pytest.mark.parametrize("spoilt", ["checking: lax\n", "org_code: [\n"])
async def test_files_of_settings_that_could_not_be_loaded_are_watched(process, street, spoilt):
    """A folder that is new to the settings, with a file that has a problem: its mending is news."""
    text = street.settings.read_text("utf-8")
    fresh = shutil.copytree(street.folder / "providers", street.folder / "fresh")
    good = (fresh / "bank.yaml").read_text("utf-8")
    (fresh / "bank.yaml").write_text(good + spoilt, "utf-8")
    street.settings.write_text(text.replace("providers: providers", "providers: fresh"), "utf-8")
    await process.reload()
    await process.reload()
    assert (process.relay.reload_failures, news(process)) == (2, False)
    (fresh / "bank.yaml").write_text(good, "utf-8")
    assert news(process)
    await process.reload()
    assert process.relay.reloads == 1


async def test_an_expired_certificate_is_refused_at_a_reload_with_its_file(process, street, monkeypatch, caplog):
    """The one in use may be as old as it is; another one is looked at."""
    file = street.folder / "certs" / "relay.pem"
    monkeypatch.setattr(
        "relay.runtime.wiring.gateway.datetime", type("Later", (), {"now": lambda _: datetime.max.replace(tzinfo=UTC)})
    )
    await process.reload()
    assert (process.relay.reloads, process.relay.reload_failures) == (1, 0)
    file.write_text(file.read_text() + "\n")
    await process.reload()
    assert (process.relay.reloads, process.relay.reload_failures) == (1, 1)
    assert f"{file}: the certificate expired " in caplog.text


@pytest.mark.parametrize("name", ["ca", "certificate"])
async def test_an_institutions_expired_certificate_is_refused_at_a_reload(process, street, monkeypatch, caplog, name):
    monkeypatch.setattr(
        "relay.runtime.wiring.gateway.datetime", type("Later", (), {"now": lambda _: datetime.max.replace(tzinfo=UTC)})
    )
    bank = street.folder / "providers" / "bank.yaml"
    values = yaml.safe_load(bank.read_text("utf-8"))
    fresh = street.folder / "certs" / "fresh.pem"
    fresh.write_bytes((bank.parent / values[name]).read_bytes())
    bank.write_text(yaml.safe_dump(values | {name: "../certs/fresh.pem"}, allow_unicode=True), "utf-8")
    plan = process.relay.gateway.plan
    await process.reload()
    assert process.relay.gateway.plan is plan
    assert (process.relay.reloads, process.relay.reload_failures) == (0, 1)
    assert f"{fresh}: " in caplog.text
    assert "expired" in caplog.text


@pytest.mark.parametrize(
    "name",
    ["relay.yaml", "directory.yaml", "providers/bank.yaml", "certs/relay.pem", "certs/relay.key.pem", "certs/ca.pem",
     "certs/token-keys/jwks.json"],
)  # fmt: skip
async def test_a_fifo_among_the_files_is_refused_at_once(process, street, caplog, name):
    """Opened like a file it would wait for a writer, without end."""
    file = street.folder / name
    file.unlink()
    os.mkfifo(file)
    plan = process.relay.gateway.plan
    async with asyncio.timeout(20):
        await process.reload()
    assert (process.relay.gateway.plan is plan, process.relay.reload_failures) == (True, 1)
    assert "it is no regular file" in caplog.text
    assert file.name in caplog.text


async def test_it_lives_while_its_loop_turns(process):
    task = asyncio.create_task(process._tick())
    await asyncio.sleep(0)
    assert process.stalled_s() < STALLED_S
    process._ticked -= STALLED_S
    assert process.stalled_s() >= STALLED_S
    task.cancel()


async def test_time_limits_go_on_when_looking_after_one_fails(process, caplog):
    class Spoilt:
        deadline = 0.0

        def overdue(self, now):
            raise ZeroDivisionError

    process.relay.watch.add(Spoilt())
    task = asyncio.create_task(process._tick())
    while "looking after time limits failed" not in caplog.text:  # noqa: ASYNC110 - it says so in the log alone
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()


async def test_what_waits_for_the_next_start_is_named(process, street, caplog):
    text = street.settings.read_text("utf-8")
    street.settings.write_text(text.replace("finish_s: 2", "finish_s: 3"), "utf-8")
    with caplog.at_level(logging.WARNING):
        await process.reload()
    assert "taken at the next start only: gateway.drain" in caplog.text
    assert process.relay.reloads == 1
