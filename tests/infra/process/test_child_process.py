import asyncio
import os
import signal
import sys

import pytest
import uvloop

from relay.infra.process.child_process import ChildProcess

TAKES_HANGUPS = """
import signal, sys
signal.signal(signal.SIGHUP, lambda *_: sys.exit(7))
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
sys.exit(0)
"""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def end(request):
    """The status with which a script ends; `after` is done with its process at once."""

    async def ended(command, after):
        process = ChildProcess(command)
        after(process)
        status = await process.wait()
        assert process.returncode == status
        process.terminate()  # nothing is left to tell
        return status

    def end(script, after=lambda _process: None):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(ended([sys.executable, "-c", script], after))

    return end


def test_its_status_is_told(end):
    assert end("import sys; sys.exit(3)") == 3


def test_it_ends_when_its_input_is_closed(end):
    assert end("import sys; sys.stdin.read()", ChildProcess.close_stdin) == 0


@pytest.mark.parametrize(
    ("way", "number"), [(ChildProcess.terminate, signal.SIGTERM), (ChildProcess.kill, signal.SIGKILL)]
)
def test_it_is_told_to_stop_or_killed(end, way, number):
    assert end("import sys; sys.stdin.read()", way) == -number


def test_a_hangup_at_its_very_start_waits_for_its_handler(end):
    assert end(TAKES_HANGUPS, lambda process: process.send_signal(signal.SIGHUP)) == 7


def test_this_process_takes_hangups_as_before(end):
    end("")
    assert signal.SIGHUP not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.parametrize("niceness", [0, 3])
async def test_it_is_nicer_than_this_process_by_as_much_as_told(niceness):
    process = ChildProcess([sys.executable, "-c", "import sys; sys.stdin.read()"], niceness)
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + niceness
    process.close_stdin()
    assert await process.wait() == 0


def test_what_cannot_be_started_is_told(tmp_path):
    with pytest.raises(PermissionError):
        ChildProcess([str(tmp_path)])
