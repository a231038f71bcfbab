"""Who looks after the authority: started, waited for, started again, stopped."""

import asyncio
import os
import signal
import socket
import sys

import pytest

from relay.runtime.processes import supervisor as room
from relay.runtime.processes.supervisor import NICENESS, Attendant, AuthorityDied

SCRIPT = """
import os, signal, socket, sys
way, path, notes = sys.argv[1:]
def note(word, then=None):
    def noted(*_):
        with open(notes, "a") as file:
            file.write(word + "\\n")
        if then is not None:
            os._exit(then)
    return noted
signal.signal(signal.SIGHUP, note("hung up"))
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
signal.signal(signal.SIGTERM, note("told to stop", None if way == "stubborn" else 0))
note("started")()
if way == "ends":
    sys.exit(3)
if way != "silent":
    door = socket.socket(socket.AF_UNIX)
    door.bind(path)
    door.listen()
sys.stdin.read()
note("left alone")()
"""


class Kept:
    """An attendant of a script that pretends to be the authority, and what the script notes."""

    def __init__(self, folder, way, role="authority"):
        self.path, self._notes = folder / "a.sock", folder / "notes"
        waited = str(self.path) if role == "authority" else ""
        self.attendant = Attendant(folder / "relay.yaml", waited, "info", role)
        self.attendant._command = (sys.executable, "-c", SCRIPT, way, str(self.path), str(self._notes))

    @property
    def notes(self):
        return self._notes.read_text().split("\n")[:-1] if self._notes.exists() else []

    @property
    def process(self):
        return self.attendant._process


@pytest.fixture
async def keep(tmp_path):
    """Begins an attendant by the way of its script; stops it at the end."""
    made = []

    async def begun(way, *role):
        made.append(Kept(tmp_path, way, *role))
        await made[0].attendant.begin()
        return made[0]

    yield begun
    for kept in made:
        await kept.attendant.stop()


async def until(reached):
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.005)


def test_it_starts_the_relay_itself_in_the_role_of_the_authority(tmp_path):
    command = Attendant(tmp_path / "relay.yaml", "a.sock", "debug")._command
    assert command[:4] == (sys.executable, "-m", "relay", "serve")
    assert " ".join(command[4:]).startswith("--role authority --until-stdin-closes --log-level debug -c ")


def test_it_starts_the_jobs_the_same_way(tmp_path):
    command = Attendant(tmp_path / "relay.yaml", "", "info", "jobs")._command
    assert command[4:6] == ("--role", "jobs")


async def test_a_role_that_nobody_waits_for_is_ready_at_once_and_watched(keep, monkeypatch, caplog):
    monkeypatch.setattr(room, "_WAITS_S", (0.0,))
    kept = await keep("silent", "jobs")
    await kept.attendant.ready()
    await until(lambda: kept.notes)
    kept.process.kill()
    await until(lambda: kept.notes == ["started"] * 2)
    assert (kept.attendant.restarts, kept.path.exists()) == (1, False)
    assert caplog.messages == ["jobs ended with status -9; starting it again in 0.0 s"]


async def test_a_role_that_nobody_waits_for_may_end_at_once(keep, monkeypatch):
    """A ledger that is not there yet must not keep the gateway from serving."""
    monkeypatch.setattr(room, "_WAITS_S", (0.0,))
    kept = await keep("ends", "jobs")
    await kept.attendant.ready()
    await until(lambda: kept.attendant.restarts > 1)


async def test_it_waits_until_the_authority_answers(keep):
    kept = await keep("answers")
    await kept.attendant.ready()
    assert (kept.path.exists(), kept.process.returncode, kept.attendant.restarts) == (True, None, 0)


async def test_one_that_listens_there_already_is_not_the_one_that_was_started(keep, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "READY_S", 0.5)
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(tmp_path / "a.sock"))
        left_over.listen()
        kept = await keep("silent")
        with pytest.raises(AuthorityDied, match="was not ready"):
            await kept.attendant.ready()


async def test_the_gateways_calls_come_before_its_work(keep):
    kept = await keep("well")
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, kept.process.pid) == min(19, ours + NICENESS)


async def test_a_hangup_is_passed_on(keep):
    kept = await keep("answers")
    await kept.attendant.ready()
    kept.attendant.hang_up()
    await until(lambda: "hung up" in kept.notes)
    assert kept.process.returncode is None


async def test_stopping_tells_the_authority_and_waits_for_its_end(keep):
    kept = await keep("answers")
    await kept.attendant.ready()
    await kept.attendant.stop()
    assert (kept.notes, kept.process.returncode) == (["started", "told to stop"], 0)
    await kept.attendant.stop()
    kept.attendant.hang_up()
    assert kept.notes == ["started", "told to stop"]


async def test_one_that_does_not_stop_is_killed(keep, monkeypatch):
    monkeypatch.setattr(room, "STOP_S", 0.1)
    kept = await keep("stubborn")
    await kept.attendant.ready()
    await kept.attendant.stop()
    assert (kept.notes, kept.process.returncode) == (["started", "told to stop"], -signal.SIGKILL)


async def test_one_that_ends_before_it_answers_is_told(keep):
    kept = await keep("ends")
    with pytest.raises(AuthorityDied, match="ended with status 3"):
        await kept.attendant.ready()
    assert kept.notes == ["started"]


async def test_one_that_never_answers_is_told_and_stopped(keep, monkeypatch):
    monkeypatch.setattr(room, "READY_S", 0.5)
    kept = await keep("silent")
    await until(lambda: kept.notes)
    with pytest.raises(AuthorityDied, match="was not ready"):
        await kept.attendant.ready()
    assert kept.process.returncode is not None


async def test_one_that_was_not_started_is_not_waited_for(tmp_path):
    with pytest.raises(AuthorityDied, match="was not started"):
        await Attendant(tmp_path / "relay.yaml", str(tmp_path / "a.sock"), "info").ready()


async def test_one_that_dies_is_started_again_and_again(keep, monkeypatch, caplog):
    monkeypatch.setattr(room, "_WAITS_S", (0.0, 0.001))
    kept = await keep("answers")
    await kept.attendant.ready()
    for restarts in (1, 2, 3):
        kept.path.unlink()
        kept.process.kill()
        await until(lambda wanted=restarts: kept.attendant.restarts == wanted and kept.path.exists())
    assert kept.notes == ["started"] * 4
    assert [line for line in caplog.messages if "status -9" in line] == caplog.messages
    assert len(caplog.messages) == 3


async def test_one_whose_start_fails_is_tried_again(keep, monkeypatch, caplog):
    monkeypatch.setattr(room, "_WAITS_S", (0.0,))
    kept = await keep("answers")
    await kept.attendant.ready()
    command, kept.attendant._command = kept.attendant._command, (str(kept.path),)  # a socket is no program
    kept.process.kill()
    await until(lambda: "could not be started" in caplog.text)
    kept.path.unlink()
    kept.attendant._command = command
    await until(lambda: kept.path.exists() and kept.process.returncode is None)


async def test_one_without_a_parent_ends_by_itself(keep):
    kept = await keep("answers")
    await kept.attendant.ready()
    kept.attendant._watching.cancel()
    kept.process.close_stdin()
    await kept.process.wait()
    assert kept.notes == ["started", "left alone"]
