import asyncio
import os
import signal
import sys

import pytest
import uvloop

from relay.infra.process.child_process import ChildProcess

TAKES_HANGUPS = """
import signal, sys, time
signal.signal(signal.SIGHUP, lambda *_: sys.exit(7))
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
time.sleep(20)  # the parent may be late
sys.exit(0)
"""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run_script(request):
    """Runs a script, calls `after` with its process at once, returns its exit status."""

    async def run(command, after):
        process = ChildProcess(command)
        after(process)
        status = await process.wait()
        assert process.returncode == status
        process.terminate()  # the process has ended: does nothing
        return status

    def run_with_loop(script, after=lambda _process: None):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(run([sys.executable, "-c", script], after))

    return run_with_loop


def test_the_exit_status_is_returned(run_script):
    assert run_script("import sys; sys.exit(3)") == 3


def test_closing_stdin_ends_the_child(run_script):
    assert run_script("import sys; sys.stdin.read()", ChildProcess.close_stdin) == 0


@pytest.mark.parametrize(
    ("stop", "number"), [(ChildProcess.terminate, signal.SIGTERM), (ChildProcess.kill, signal.SIGKILL)]
)
def test_terminate_and_kill_send_their_signals(run_script, stop, number):
    assert run_script("import sys; sys.stdin.read()", stop) == -number


def test_a_hangup_at_the_start_waits_for_the_handler(run_script):
    assert run_script(TAKES_HANGUPS, lambda process: process.send_signal(signal.SIGHUP)) == 7


def test_hangups_of_the_parent_stay_unblocked(run_script):
    run_script("")
    assert signal.SIGHUP not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.parametrize("niceness", [0, 3])
async def test_niceness_is_relative_to_the_parent(niceness):
    process = ChildProcess([sys.executable, "-c", "import sys; sys.stdin.read()"], niceness)
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + niceness
    process.close_stdin()
    assert await process.wait() == 0


def test_a_failed_start_raises_an_oserror(tmp_path):
    with pytest.raises(PermissionError):
        ChildProcess([str(tmp_path)])


def test_a_second_terminate_sends_no_signal(run_script, monkeypatch):
    sent = []

    def terminate_twice(process):
        monkeypatch.setattr(process, "send_signal", sent.append)
        process.terminate()
        process.terminate()
        process.close_stdin()

    assert run_script("import sys; sys.stdin.read()", terminate_twice) == 0
    assert sent == [signal.SIGTERM]
