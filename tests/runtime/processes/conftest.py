"""A script that stands for a worker: it answers its parent and notes what it was told."""

import asyncio
import json
import sys

import pytest

SCRIPT = """
import json, os, signal, socket, sys
folder = sys.argv[1]
end = socket.socket(fileno=0)
start, descriptors, _, _ = socket.recv_fds(end, 65536, 250)
values = json.loads(start)
slot, notes = values["slot"], open(f"{folder}/notes", "a", buffering=1)
def note(text):
    notes.write(f"{slot} {text}\\n")
signal.signal(signal.SIGTERM, lambda *_: (note("SIGTERM"), end.sendall(b"metrics 0\\n"), os._exit(0)))
signal.signal(signal.SIGHUP, lambda *_: note("SIGHUP"))
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
note(f"started {os.getpid()}")
state = json.load(open(f"{folder}/state"))
if state.get("status"):
    sys.exit(state["status"])
each = len(descriptors) // values["workers"]
for descriptor in descriptors[(slot - 1) * each : slot * each]:
    socket.socket(fileno=descriptor).listen()
messages = end.makefile("rb")
while line := messages.readline():
    name, size = line.split()
    content = messages.read(int(size))
    state = json.load(open(f"{folder}/state"))
    if name == b"status":
        status = {"missing": [], "plan": "0123", "connections": state.get("connections", {}).get(str(slot), 0),
                  "jwks": {"keys": [slot]}, **state.get("more", {})}
        answer = json.dumps(status).encode()
        end.sendall(b"status %d\\n" % len(answer) + answer)
    elif name == b"metrics":
        answer = b"# TYPE relay_calls counter\\nrelay_calls_total %d\\n# EOF\\n" % state.get("calls", 1)
        end.sendall(b"metrics %d\\n" % len(answer) + answer)
    else:
        note(f"{name.decode()} {content.decode()}".strip())
        if name == b"abort":
            break
"""


class ScriptedWorkers:
    """Workers that run SCRIPT. `notes` are lines `SLOT EVENT`."""

    def __init__(self, folder):
        self._folder = folder
        self.command = (sys.executable, "-S", "-c", SCRIPT, str(folder))
        self.set_state()

    def set_state(self, **state):
        """Sets what workers answer: connections by slot, calls; the exit status of new ones."""
        new = self._folder / "new"
        new.write_text(json.dumps(state))
        new.rename(self._folder / "state")

    @property
    def notes(self):
        file = self._folder / "notes"
        return file.read_text().splitlines() if file.exists() else []

    async def until(self, is_reached):
        async with asyncio.timeout(20):
            while not is_reached():  # noqa: ASYNC110 - other processes do it
                await asyncio.sleep(0.005)


@pytest.fixture
def scripted(tmp_path):
    """Scripted workers."""
    return ScriptedWorkers(tmp_path)
