"""Tests of the supervisor of child processes: start, readiness, restart, stop."""

import asyncio
import os
import signal
import socket
import sys

import pytest

from relay.infra.process.child_process import ChildProcess
from relay.runtime.processes import supervisor as module
from relay.runtime.processes.supervisor import NICENESS, ChildNotReady, Supervisor, build_command

SCRIPT = """
import os, signal, socket, sys
mode, path, notes = sys.argv[1:]
def note(word, then=None):
    def write(*_):
        with open(notes, "a") as file:
            file.write(word + "\\n")
        if then is not None:
            os._exit(then)
    return write
signal.signal(signal.SIGHUP, note("SIGHUP"))
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
signal.signal(signal.SIGTERM, note("SIGTERM", None if mode == "stubborn" else 0))
note("started")()
if mode == "ends":
    sys.exit(3)
if mode != "silent":
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
sys.stdin.read()
note("stdin closed")()
if mode != "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it may come while Python ends
while mode == "stubborn":
    signal.pause()
"""


class Supervised:
    """A supervisor of a script that stands for the authority, and the lines that the script writes."""

    def __init__(self, folder, mode, role="authority"):
        self.path, self._notes = folder / "a.sock", folder / "notes"
        self.program = folder / "python"
        self.add_program()
        command = (str(self.program), "-c", SCRIPT, mode, str(self.path), str(self._notes))
        self.supervisor = Supervisor(role, command, str(self.path) if role == "authority" else "")

    def add_program(self):
        """Adds the link to Python that the command names."""
        self.program.symlink_to(sys.executable)

    @property
    def notes(self):
        return self._notes.read_text().split("\n")[:-1] if self._notes.exists() else []

    @property
    def process(self):
        return self.supervisor.process


@pytest.fixture
async def supervise(tmp_path):
    """Starts a supervisor with a mode of the script; stops it at the end."""
    all_supervised = []

    async def start(mode, *role):
        all_supervised.append(Supervised(tmp_path, mode, *role))
        await all_supervised[0].supervisor.start()
        return all_supervised[0]

    yield start
    for supervised in all_supervised:
        await supervised.supervisor.stop()


async def until(is_reached):
    async with asyncio.timeout(20):
        while not is_reached():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.005)


def test_the_command_runs_the_relay_in_one_role(tmp_path):
    command = build_command("authority", tmp_path / "relay.yaml", "debug")
    assert command[:4] == (sys.executable, "-m", "relay", "serve")
    assert " ".join(command[4:]).startswith("--role authority --until-stdin-closes --log-level debug -c ")


async def test_a_role_without_socket_is_ready_at_once_and_restarted(supervise, monkeypatch, caplog):
    monkeypatch.setattr(module, "RESTART_WAITS_S", (0.0,))
    supervised = await supervise("silent", "jobs")
    await supervised.supervisor.wait_until_ready()
    supervised.supervisor.keep_running()
    await until(lambda: supervised.notes)
    supervised.process.kill()
    await until(lambda: supervised.notes == ["started"] * 2)
    assert (supervised.supervisor.restarts, supervised.path.exists()) == (1, False)
    assert caplog.messages == ["child process ended: role=jobs status=-9 restart_in_s=0.0"]


async def test_a_role_without_socket_may_end_at_once(supervise, monkeypatch):
    """A missing ledger must not keep the gateway from serving."""
    monkeypatch.setattr(module, "RESTART_WAITS_S", (0.0,))
    supervised = await supervise("ends", "jobs")
    await supervised.supervisor.wait_until_ready()
    supervised.supervisor.keep_running()
    await until(lambda: supervised.supervisor.restarts > 1)


async def test_it_waits_until_the_authority_listens(supervise):
    supervised = await supervise("answers")
    await supervised.supervisor.wait_until_ready()
    assert (supervised.path.exists(), supervised.process.returncode, supervised.supervisor.restarts) == (True, None, 0)


async def test_a_former_process_on_the_socket_does_not_count(supervise, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "READY_S", 0.5)
    with socket.socket(socket.AF_UNIX) as former:
        former.bind(str(tmp_path / "a.sock"))
        former.listen()
        supervised = await supervise("silent")
        with pytest.raises(ChildNotReady, match="was not ready"):
            await supervised.supervisor.wait_until_ready()


async def test_the_child_has_a_lower_priority(supervise):
    supervised = await supervise("well")
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, supervised.process.pid) == min(19, ours + NICENESS)


async def test_sighup_is_passed_on(supervise):
    supervised = await supervise("answers")
    await supervised.supervisor.wait_until_ready()
    supervised.supervisor.send_sighup()
    await until(lambda: "SIGHUP" in supervised.notes)
    assert supervised.process.returncode is None


async def test_stopping_terminates_and_waits(supervise):
    supervised = await supervise("answers")
    await supervised.supervisor.wait_until_ready()
    await supervised.supervisor.stop()
    notes = supervised.notes
    assert {"SIGTERM", "stdin closed"} & set(notes)
    assert supervised.process.returncode == 0
    await supervised.supervisor.stop()
    supervised.supervisor.send_sighup()
    assert supervised.notes == notes


async def test_a_process_that_ignores_sigterm_is_killed(supervise, monkeypatch):
    monkeypatch.setattr(module, "STOP_S", 0.1)
    supervised = await supervise("stubborn")
    await supervised.supervisor.wait_until_ready()
    await supervised.supervisor.stop()
    assert (set(supervised.notes), supervised.process.returncode) == (
        {"started", "SIGTERM", "stdin closed"},
        -signal.SIGKILL,
    )


async def test_a_process_that_ends_before_it_is_ready_raises(supervise):
    supervised = await supervise("ends")
    with pytest.raises(ChildNotReady, match="ended with status 3"):
        await supervised.supervisor.wait_until_ready()
    assert supervised.notes == ["started"]


async def test_a_process_that_is_never_ready_is_stopped(supervise, monkeypatch):
    monkeypatch.setattr(module, "READY_S", 0.5)
    supervised = await supervise("silent")
    await until(lambda: supervised.notes)
    with pytest.raises(ChildNotReady, match="was not ready"):
        await supervised.supervisor.wait_until_ready()
    assert supervised.process.returncode is not None


async def test_a_process_that_was_not_started_raises(tmp_path):
    with pytest.raises(ChildNotReady, match="was not started"):
        await Supervisor("authority", (), str(tmp_path / "a.sock")).wait_until_ready()


async def test_a_killed_process_is_restarted_each_time(supervise, monkeypatch, caplog):
    monkeypatch.setattr(module, "RESTART_WAITS_S", (0.0, 0.001))
    supervised = await supervise("answers")
    await supervised.supervisor.wait_until_ready()
    supervised.supervisor.keep_running()
    for restarts in (1, 2, 3):
        supervised.path.unlink()
        supervised.process.kill()
        await until(lambda wanted=restarts: supervised.supervisor.restarts == wanted and supervised.path.exists())
    assert supervised.notes == ["started"] * 4
    assert [line for line in caplog.messages if "status=-9" in line] == caplog.messages
    assert len(caplog.messages) == 3


async def test_a_process_that_may_end_is_not_restarted(supervise, monkeypatch, caplog):
    monkeypatch.setattr(module, "RESTART_WAITS_S", (0.0,))
    supervised = await supervise("listens")
    await supervised.supervisor.wait_until_ready()
    supervised.supervisor.keep_running()
    supervised.supervisor.let_end()
    supervised.process.kill()
    await supervised.process.wait()
    await asyncio.sleep(0)
    assert (supervised.supervisor.restarts, caplog.messages) == (0, [])


async def test_a_failed_start_is_tried_again(supervise, monkeypatch, caplog):
    monkeypatch.setattr(module, "RESTART_WAITS_S", (0.0,))
    supervised = await supervise("answers")
    await supervised.supervisor.wait_until_ready()
    supervised.supervisor.keep_running()
    supervised.program.unlink()
    supervised.process.kill()
    await until(lambda: caplog.text.count("could not be started") >= 3)
    assert caplog.text.count("child process ended") == 1
    supervised.path.unlink()
    supervised.add_program()
    await until(lambda: supervised.path.exists() and supervised.process.returncode is None)


async def test_a_process_without_parent_ends_by_itself(supervise):
    supervised = await supervise("answers")
    await until(supervised.path.exists)
    supervised.process.close_stdin()
    await supervised.process.wait()
    assert supervised.notes == ["started", "stdin closed"]


async def test_a_replaced_process_is_retired_and_stopped(supervise, caplog):
    supervised = await supervise("answers")
    supervisor, former = supervised.supervisor, supervised.process
    await supervisor.wait_until_ready()
    supervisor.keep_running()
    supervised.path.unlink()
    retired = []
    await supervisor.replace(retired.append)
    assert retired == [former]
    assert (former.returncode, supervised.process.returncode) == (0, None)
    assert supervised.process is not former
    assert supervised.notes[:2] == ["started", "started"]
    assert caplog.messages == []  # the end of the former one is no failure
    supervised.path.unlink()
    supervised.process.kill()
    await until(lambda: supervisor.restarts == 1 and supervised.path.exists())


async def test_a_process_stays_when_its_successor_cannot_serve(supervise, monkeypatch):
    supervised = await supervise("answers")
    supervisor, former = supervised.supervisor, supervised.process
    await supervisor.wait_until_ready()
    supervisor.keep_running()
    with pytest.raises(ChildNotReady, match="ended with status 1"):  # the former one has the socket
        await supervisor.replace(lambda _: pytest.fail("the former process was retired"))
    assert (supervised.process, former.returncode, supervisor.restarts) == (former, None, 0)
    supervised.program.unlink()
    with pytest.raises(OSError, match="No such file"):
        await supervisor.replace(lambda _: pytest.fail("the former process was retired"))
    assert (supervised.process, former.returncode) == (former, None)


async def test_a_cancelled_replacement_leaves_no_successor():
    spawned = []

    def spawn():
        spawned.append(ChildProcess([sys.executable, "-c", "import sys; sys.stdin.read()"]))
        return spawned[-1]

    supervisor = Supervisor("authority", (), spawn=spawn, is_ready=lambda _: False)
    replacing = asyncio.create_task(supervisor.replace(lambda _: None))
    await until(lambda: spawned)
    replacing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await replacing
    assert spawned[0].returncode in {-signal.SIGTERM, 0}
    assert supervisor.process is None
