"""Tests of readiness and reloads of the gateway process; tests/scenarios serve calls with it."""

import asyncio
import logging
import os
import shutil
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import yaml
from click.testing import CliRunner
from fixtures.telegram_core import TELEGRAMS

from relay.infra.authority.liveness import SILENT_S
from relay.runtime.cli import main
from relay.runtime.processes.gateway import GatewayProcess
from relay.runtime.settings.loading import SettingsError, load_settings

LATER = type("Later", (), {"now": lambda _: datetime.max.replace(tzinfo=UTC)})
"""A clock at which every certificate has expired."""


ADAPTED = {
    "org_code": "ZBAC000001",
    "name": "Savings",
    "industry": "bank",
    "speaks": "telegram",
    "link": "leased_line",
    "apis": {"left_out": ["IR01", "IR02", "IR03", "IR04"]},
    "core": {"addresses": ["127.0.0.1:1"]},
}


@pytest.fixture
def tables(environment):
    """The tables of the ledger."""
    assert CliRunner().invoke(main, ["migrate", "-c", str(environment.settings)]).exit_code == 0


@pytest.fixture
async def process(environment):
    process = GatewayProcess(environment.settings)
    process.relay.access_log.start()
    yield process
    await process.listeners.close()
    process.relay.access_log.stop()


async def test_it_is_unready_before_it_listens_and_once_it_stops(process):
    assert process.ports == []
    assert process.list_unready_parts() == ["listeners"]
    process.listeners.start()
    assert process.list_unready_parts() == []
    process.stop()
    assert process.list_unready_parts() == ["stopping"]


async def test_it_is_unready_once_another_ledger_answers(process):
    process.listeners.start()
    process.relay.grants.is_wrong = True
    assert process.list_unready_parts() == ["ledger"]


async def test_it_is_unready_while_a_needed_adapter_is_silent(process):
    process.listeners.start()
    process.relay.adapter_liveness = SimpleNamespace(age=SILENT_S + 1)
    assert process.list_unready_parts() == ["adapter"]


async def test_an_adapter_that_a_reload_needs_first_makes_nothing_unready(process, environment, caplog):
    savings = {**ADAPTED, "telegrams": str(TELEGRAMS)}
    (environment.folder / "providers/savings.yaml").write_text(yaml.safe_dump(savings))
    await process.reload()
    assert process.relay.loaded.needs_adapter
    stop = asyncio.Event()
    following = asyncio.ensure_future(process.relay.adapter_liveness.follow(stop))
    await asyncio.sleep(0)
    stop.set()
    await following
    assert "an institution needs the adapter, start it" in caplog.text
    assert "adapter does not answer" not in caplog.text


@pytest.mark.usefixtures("tables")
async def test_a_long_start_is_no_stall(environment, monkeypatch):
    process, stalls = GatewayProcess(environment.settings), []
    check = process.relay.ledger.check

    async def check_and_note():
        await check()
        stalls.append(process.stalled_s())

    monkeypatch.setattr(process.relay.ledger, "check", check_and_note)
    monkeypatch.setattr(process.admin, "start", lambda _: stalls.append(process.stalled_s()))
    process.stop()
    await process.run()
    at_check, at_start = stalls
    assert at_start < at_check


async def test_a_second_stop_stops_at_once(process):
    stops = []
    process.on_second_stop = lambda: stops.append(process.listeners.aborted)
    process.stop()
    assert not process.listeners.aborted
    process.stop()
    assert process.listeners.aborted
    assert stops == [False]


async def test_invalid_settings_start_no_process(environment):
    environment.settings.write_text("relay: {}")
    with pytest.raises(SettingsError):
        GatewayProcess(environment.settings)


async def test_unusable_settings_are_counted_logged_and_rejected(process, environment, caplog):
    plan = process.relay.gateway.plan
    bank = environment.folder / "providers" / "bank.yaml"
    bank.write_text(bank.read_text().replace("industry: bank", "industry: bakery"))
    await process.reload()
    assert process.relay.gateway.plan is plan
    assert (process.reloader.applied, process.reloader.rejected) == (0, 1)
    (message,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert plan.fingerprint in message
    assert "bank.yaml: industry: is not one of the choices" in message


async def test_usable_settings_are_applied(process, environment):
    bank = environment.folder / "providers" / "bank.yaml"
    bank.write_text(bank.read_text() + "concurrency: 3\n")
    await process.reload()
    assert (process.reloader.applied, process.reloader.rejected) == (1, 0)
    assert process.relay.gateway.plan.institutions["ZBAA000001"].concurrency == 3


def touch(file):
    """Sets the mtime of a file to a second later."""
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))


@pytest.mark.parametrize(
    "name",
    ["relay.yaml", "directory.yaml", "providers/bank.yaml", "certs/relay.pem", "certs/relay.key.pem", "certs/ca.pem"],
)
async def test_a_changed_file_is_detected(process, environment, name):
    assert not process.reloader.has_changed_files()
    touch(environment.folder / name)
    assert process.reloader.has_changed_files()
    await process.reload()
    assert not process.reloader.has_changed_files()


async def test_an_added_or_removed_institution_is_detected(process, environment):
    bank = environment.folder / "providers" / "bank.yaml"
    content = bank.read_text()
    bank.unlink()
    assert process.reloader.has_changed_files()
    await process.reload()
    bank.write_text(content)
    assert process.reloader.has_changed_files()


async def test_unrelated_files_are_not_watched(process, environment):
    (environment.folder / "providers" / "notes.txt").write_text("a")
    (environment.folder / "certs" / "other.pem").write_text("a")
    assert not process.reloader.has_changed_files()


async def test_a_file_missing_at_a_reload_is_detected_when_it_appears(process, environment):
    text = environment.settings.read_text("utf-8")
    environment.settings.write_text(text.replace("certs/relay.pem", "certs/new.pem"), "utf-8")
    await process.reload()
    assert process.reloader.rejected == 1
    shutil.copy(environment.folder / "certs" / "relay.pem", environment.folder / "certs" / "new.pem")
    assert process.reloader.has_changed_files()
    await process.reload()
    assert (process.reloader.rejected, process.reloader.applied) == (1, 1)


async def test_a_change_during_a_reload_is_detected(process, environment, monkeypatch):
    bank = environment.folder / "providers" / "bank.yaml"
    read = load_settings

    def slow(*settings):
        loaded = read(*settings)
        touch(bank)
        return loaded

    monkeypatch.setattr("relay.runtime.processes.reload.load_settings", slow)
    await process.reload()
    assert process.reloader.has_changed_files()


@pytest.mark.parametrize("problem", ["checking: lax\n", "org_code: [\n"])
async def test_files_of_unusable_settings_are_watched(process, environment, problem):
    """A folder new to the settings with an invalid file: correcting it is detected."""
    text = environment.settings.read_text("utf-8")
    fresh = shutil.copytree(environment.folder / "providers", environment.folder / "fresh")
    good = (fresh / "bank.yaml").read_text("utf-8")
    (fresh / "bank.yaml").write_text(good + problem, "utf-8")
    environment.settings.write_text(text.replace("providers: providers", "providers: fresh"), "utf-8")
    await process.reload()
    await process.reload()
    assert (process.reloader.rejected, process.reloader.has_changed_files()) == (2, False)
    (fresh / "bank.yaml").write_text(good, "utf-8")
    assert process.reloader.has_changed_files()
    await process.reload()
    assert process.reloader.applied == 1


async def test_an_expired_certificate_is_refused_at_a_reload_with_its_file(process, environment, monkeypatch, caplog):
    """The certificate in force may have expired; a replacement may not."""
    file = environment.folder / "certs" / "relay.pem"
    monkeypatch.setattr(
        "relay.runtime.processes.reload.datetime",
        type("Later", (), {"now": lambda _: datetime.max.replace(tzinfo=UTC)}),
    )
    await process.reload()
    assert (process.reloader.applied, process.reloader.rejected) == (1, 0)
    file.write_text(file.read_text() + "\n")
    await process.reload()
    assert (process.reloader.applied, process.reloader.rejected) == (1, 1)
    assert f"{file}: the certificate expired " in caplog.text


@pytest.mark.parametrize("name", ["ca", "certificate"])
async def test_an_institutions_expired_certificate_is_refused_at_a_reload(
    process, environment, monkeypatch, caplog, name
):
    monkeypatch.setattr(
        "relay.runtime.processes.reload.datetime",
        type("Later", (), {"now": lambda _: datetime.max.replace(tzinfo=UTC)}),
    )
    bank = environment.folder / "providers" / "bank.yaml"
    values = yaml.safe_load(bank.read_text("utf-8"))
    fresh = environment.folder / "certs" / "fresh.pem"
    fresh.write_bytes((bank.parent / values[name]).read_bytes())
    bank.write_text(yaml.safe_dump(values | {name: "../certs/fresh.pem"}, allow_unicode=True), "utf-8")
    plan = process.relay.gateway.plan
    await process.reload()
    assert process.relay.gateway.plan is plan
    assert (process.reloader.applied, process.reloader.rejected) == (0, 1)
    assert f"{fresh}: " in caplog.text
    assert "expired" in caplog.text


@pytest.mark.parametrize(
    "name",
    ["relay.yaml", "directory.yaml", "providers/bank.yaml", "certs/relay.pem", "certs/relay.key.pem", "certs/ca.pem",
     "certs/token-keys/jwks.json"],
)  # fmt: skip
async def test_a_fifo_among_the_files_is_refused_at_once(process, environment, caplog, name):
    """Opening a FIFO like a file would wait for a writer forever."""
    file = environment.folder / name
    file.unlink()
    os.mkfifo(file)
    plan = process.relay.gateway.plan
    async with asyncio.timeout(20):
        await process.reload()
    assert (process.relay.gateway.plan is plan, process.reloader.rejected) == (True, 1)
    assert "not a regular file" in caplog.text
    assert file.name in caplog.text


async def test_it_is_alive_while_its_loop_runs(process, monkeypatch):
    task = asyncio.create_task(process.watch_time_limits())
    await asyncio.sleep(0)
    assert process.stalled_s() < 10
    later = time.monotonic() + 10
    monkeypatch.setattr("relay.runtime.processes.gateway.time", SimpleNamespace(monotonic=lambda: later))
    assert process.stalled_s() >= 10
    task.cancel()


async def test_time_limits_are_checked_after_one_check_failed(process, caplog):
    class Failing:
        deadline = 0.0

        def handle_timeout(self, now):
            raise ZeroDivisionError

    process.relay.watch.add(Failing())
    task = asyncio.create_task(process.watch_time_limits())
    while "check of time limits failed" not in caplog.text:  # noqa: ASYNC110 - only the log shows it
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()


async def test_changes_that_need_a_restart_are_logged(process, environment, caplog):
    text = environment.settings.read_text("utf-8")
    environment.settings.write_text(text.replace("finish_s: 2", "finish_s: 3"), "utf-8")
    with caplog.at_level(logging.WARNING):
        await process.reload()
    assert "settings changed that need a restart: role=gateway sections=gateway.drain" in caplog.text
    assert process.reloader.applied == 1
