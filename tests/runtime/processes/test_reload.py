"""Tests of the reloader: on a thread, one at a time, whole or not at all; a file that hangs is logged once."""

import asyncio
import shutil
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from fixtures.telegram_core import TELEGRAMS
from mydata_sandbox.credentials.certificates import make_dev_certificates

from relay.infra.files.regular import awaiting
from relay.policy.settings.worker_shares import WorkerShare
from relay.runtime.processes.reload import Reloader
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.credentials import CredentialError

SAVINGS = """
org_code: ZBAC000001
name: Savings
industry: bank
speaks: telegram
link: leased_line
apis: {left_out: [IR01, IR02, IR03, IR04]}
core: {addresses: ["127.0.0.1:1"]}
"""


class RecordingRole:
    """A role that records calls. Its methods run the functions that a test gives."""

    name = "gateway"

    def __init__(self):
        self.prepared, self.committed = [], []
        self.on_prepare = self.on_join = lambda _: None
        self.prepare_token_keys = lambda: None

    def prepare(self, loaded):
        self.prepared.append(loaded)
        self.on_prepare(loaded)
        return loaded

    def join_registry(self, prepared):
        self.on_join(prepared)
        return prepared

    def commit(self, prepared):
        self.committed.append(prepared)


@pytest.fixture
def scene(folder):
    role = RecordingRole()
    reloader = Reloader(role, folder.path, load_settings(folder.path, {}), hangs_s=0.5)
    return SimpleNamespace(folder=folder, role=role, reloader=reloader)


@pytest.fixture
def run(scene, run_reloader):
    """Runs the reloader until the end of the test."""
    return lambda interval_s: run_reloader(scene.reloader, interval_s)


@pytest.fixture
async def run_reloader():
    """Runs a reloader until the end of the test."""
    tasks = []
    yield lambda reloader, interval_s=0: tasks.append(asyncio.create_task(reloader.run(interval_s)))
    for task in tasks:
        assert not task.done()
        task.cancel()


async def until(is_reached):
    async with asyncio.timeout(20):
        while not is_reached():  # noqa: ASYNC110 - no event is set
            await asyncio.sleep(0.001)


def change(scene, name="Other"):
    scene.folder.put("relay.yaml", "relay.name", name)


def get_names(committed):
    return [loaded.settings.relay.name for loaded in committed]


async def test_a_file_that_hangs_is_logged_once_and_blocks_nothing(scene, run, caplog):
    answers = threading.Event()

    def hang(_):
        with awaiting(scene.folder.path):
            answers.wait()

    scene.role.on_prepare = hang
    run(0.001)
    scene.reloader.request()
    try:
        await until(lambda: "hangs" in caplog.text)
        for _ in range(5):
            scene.reloader.request()
        messages = [record.getMessage() for record in caplog.records]
        assert messages == [f"settings reload hangs, settings in force stay: role=gateway file={scene.folder.path}"]
        assert (len(scene.role.prepared), scene.role.committed) == (1, [])
    finally:
        answers.set()
    await until(lambda: scene.reloader.applied == 2)  # the requests meanwhile cause one more
    assert len(scene.role.prepared) == 2


async def test_unusable_settings_are_rejected_and_the_next_applied(scene, caplog):
    in_force = scene.reloader.loaded
    scene.folder.write("relay.yaml", "relay: {}")
    await scene.reloader.reload()
    assert (scene.role.prepared, scene.role.committed, scene.reloader.loaded) == ([], [], in_force)
    assert f"settings rejected, plan stays: role=gateway plan={in_force.fingerprint} reason=" in caplog.text
    scene.folder.reset()
    change(scene)
    await scene.reloader.reload()
    assert get_names(scene.role.committed) == ["Other"]
    assert scene.reloader.loaded is scene.role.committed[0]
    assert (scene.reloader.applied, scene.reloader.rejected) == (1, 1)


async def test_changed_files_are_reloaded_without_a_request(scene, run):
    run(0.001)
    change(scene)
    await until(lambda: scene.role.committed)
    assert get_names(scene.role.committed) == ["Other"]


async def test_a_private_key_that_arrives_later_is_a_change(scene, run):
    run(0.001)
    scene.folder.write("certs/token-keys/later.pem", b"key")
    await until(lambda: scene.role.committed)


async def test_interval_zero_reloads_on_request_only(scene, run):
    run(0)
    change(scene)
    await asyncio.sleep(0)
    assert scene.role.prepared == []
    scene.reloader.request()
    await until(lambda: scene.role.committed)


@pytest.mark.parametrize("step", ["on_prepare", "on_join"])
async def test_an_unexpected_error_ends_no_later_reload(scene, run, caplog, step):
    setattr(scene.role, step, lambda _: 1 / 0)
    run(0)
    change(scene)
    scene.reloader.request()
    await until(lambda: scene.reloader.rejected)
    assert "settings reload failed: role=gateway" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert scene.role.committed == []
    setattr(scene.role, step, lambda _: None)
    scene.reloader.request()
    await until(lambda: scene.role.committed)
    assert get_names(scene.role.committed) == ["Other"]


async def test_files_of_an_unexpected_error_are_tried_again(scene, run):
    """The reason may pass: the process may have had no free descriptor."""
    scene.role.on_prepare = lambda _: 1 / 0
    run(0.001)
    change(scene)
    await until(lambda: scene.reloader.rejected >= 2)
    scene.role.on_prepare = lambda _: None
    await until(lambda: scene.role.committed)


async def test_rejected_files_are_tried_again_once_they_change(scene, run):
    def reject(_):
        raise CredentialError("bank.pem")

    scene.role.on_prepare = reject
    run(0.001)
    change(scene)
    await until(lambda: scene.reloader.rejected and not scene.reloader.has_changed_files())
    scene.role.on_prepare = lambda _: None
    change(scene, "Another")
    await until(lambda: scene.role.committed)
    assert (get_names(scene.role.committed), scene.reloader.rejected) == (["Another"], 1)


async def test_the_registry_is_joined_on_the_loop_before_the_commit(scene):
    threads = []
    scene.role.on_prepare = lambda _: threads.append(threading.current_thread())
    scene.role.on_join = lambda _: threads.append((threading.current_thread(), list(scene.role.committed)))
    await scene.reloader.reload()
    main = threading.current_thread()
    assert threads[0] is not main
    assert threads[1] == (main, [])


async def test_changes_that_need_a_restart_are_logged_once_applied(scene, caplog):
    scene.folder.put("relay.yaml", "reload.watch_s", 1)
    scene.role.on_prepare = lambda _: 1 / 0
    await scene.reloader.reload()
    assert "need a restart" not in caplog.text
    scene.role.on_prepare = lambda _: None
    await scene.reloader.reload()
    assert "settings changed that need a restart: role=gateway sections=reload" in caplog.text


def reject(_):
    raise CredentialError("bank.pem")


@pytest.mark.parametrize("on_prepare", [reject, lambda _: 1 / 0], ids=["rejected", "unexpected"])
async def test_token_keys_are_applied_while_settings_are_rejected(scene, caplog, on_prepare):
    caplog.set_level("INFO")
    scene.role.on_prepare, scene.role.prepare_token_keys = on_prepare, lambda: "state with new keys"
    in_force = scene.reloader.loaded
    change(scene)
    await scene.reloader.reload()
    reloader = scene.reloader
    assert (scene.role.committed, reloader.loaded) == (["state with new keys"], in_force)
    assert (reloader.applied, reloader.rejected, reloader.keys_applied) == (0, 1, 1)
    assert f"token keys applied: role=gateway plan={in_force.fingerprint}" in caplog.messages


@pytest.mark.parametrize(("problem", "lines"), [("bank.pem", 0), ("jwks.json", 1)])
async def test_unusable_token_keys_are_logged_once(scene, caplog, problem, lines):
    def fail():
        raise CredentialError(problem)

    scene.role.on_prepare, scene.role.prepare_token_keys = reject, fail
    change(scene)
    await scene.reloader.reload()
    assert scene.role.committed == []
    line = f"token keys rejected, those in force stay: role=gateway reason={problem}"
    assert caplog.messages.count(line) == lines


async def test_a_change_that_names_new_files_is_rejected_once(scene, run, caplog):
    scene.role.on_prepare = reject
    run(0.001)
    scene.folder.put("relay.yaml", "tokens.keys", "nowhere")
    await until(lambda: scene.reloader.rejected and not scene.reloader.has_changed_files())
    await scene.reloader.reload()
    assert scene.reloader.rejected == 2
    assert len([line for line in caplog.messages if line.startswith("settings rejected")]) == 2


def find_endings(caplog):
    return [line for line in caplog.messages if line.startswith("certificate ends soon: ")]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Certificates that end in ten days."""
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC), days=10)


@pytest.fixture
def ending(folder, certificates):
    """The certificate of settings that ends in ten days."""
    folder.put("relay.yaml", "gateway.tls.certificate", str(certificates.relay.certificate))
    return certificates.relay.certificate


async def test_a_certificate_that_ends_soon_is_logged_once_for_each_load(ending, scene, run, caplog):
    run(0.001)
    await until(lambda: find_endings(caplog))
    (line,) = find_endings(caplog)
    assert line.startswith(f"certificate ends soon: role=gateway file={ending} subject=")
    assert line.endswith((" days=9", " days=10"))
    change(scene)
    await until(lambda: len(find_endings(caplog)) == 2)
    assert scene.reloader.applied == 1


@pytest.mark.parametrize("options", [{"warns": False}, {"share": WorkerShare(2, 2)}])
@pytest.mark.usefixtures("ending")
async def test_one_process_of_a_machine_names_ending_certificates(folder, run_reloader, caplog, options):
    reloader = Reloader(RecordingRole(), folder.path, load_settings(folder.path, {}), **options)
    run_reloader(reloader)
    reloader.request()
    await until(lambda: reloader.applied)
    assert find_endings(caplog) == []


async def test_applied_settings_are_reported_and_rejected_ones_are_not(folder):
    applied = []
    reloader = Reloader(RecordingRole(), folder.path, load_settings(folder.path, {}), on_applied=applied.append)
    folder.write("providers/savings.yaml", SAVINGS)
    await reloader.reload()
    assert applied == []  # it has no layouts
    shutil.copytree(TELEGRAMS, folder.root / "providers/savings/telegrams")
    await reloader.reload()
    assert [loaded.needs_adapter for loaded in applied] == [True]
