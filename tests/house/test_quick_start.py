"""Runs the quick start of README.md as written, in an empty folder.

One rule changes the commands: the test takes free ports. Variables set those of the relay, and `:8443/` of the last
command becomes the free one.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT_S = 120
COMMANDS = re.compile(r"<!-- quick start -->\n```sh\n(.*?)```", re.DOTALL)


def read_quick_start(root, name):
    return COMMANDS.search((root / name).read_text())[1]


def find_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(opened.getsockname()[1]) for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


@pytest.fixture
def run(root, tmp_path):
    """Runs a script in a process group of its own, in an empty folder, and ends the group."""
    started = []

    def start(script, **variables):
        search = os.pathsep.join([str(root), str(root / "sandbox"), os.environ.get("PYTHONPATH", "")])
        commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {**os.environ, "PATH": commands, "PYTHONPATH": search, **variables}
        with (tmp_path / "stdout").open("w") as output, (tmp_path / "stderr").open("w") as errors:
            process = subprocess.Popen(
                ["bash", "-e", "-c", script],
                cwd=tmp_path,
                env=environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )
        started.append(process)
        process.wait(LIMIT_S)
        return process.returncode, (tmp_path / "stdout").read_text(), (tmp_path / "stderr").read_text()

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):  # the relay did not start
            os.killpg(process.pid, signal.SIGKILL)


def test_the_quick_start_leads_to_a_relay_that_answers(root, run):
    gateway, admin = find_ports(2)
    script = read_quick_start(root, "README.md").replace(":8443/", f":{gateway}/")
    code, output, errors = run(script, RELAY__GATEWAY__LISTENERS__0__PORT=gateway, RELAY__ADMIN__PORT=admin)
    assert code == 0, errors
    answer, _ = json.JSONDecoder().raw_decode(output, output.rindex('{"rsp_code"'))  # an access log line may follow
    assert answer["rsp_code"] == "00000"
    assert "BA01" in {api["api_code"] for api in answer["api_list"]}


def test_both_readmes_have_the_same_quick_start(root):
    assert read_quick_start(root, "README.ko.md") == read_quick_start(root, "README.md")


def test_both_readmes_have_the_same_pictures(root):
    pictures = [set(re.findall(r'src="([^"]+)"', (root / name).read_text())) for name in ("README.md", "README.ko.md")]
    assert pictures[0] == pictures[1]
    assert [name for name in pictures[0] if not (root / name).is_file()] == []


def test_both_readmes_lead_to_the_same_pages(root):
    links = [re.findall(r"\]\(([^)]+)\)", (root / name).read_text()) for name in ("README.md", "README.ko.md")]
    english, korean = (
        [re.sub(r"\.ko\.md$", ".md", link) for link in page if not link.startswith("README")] for page in links
    )
    assert sorted(english) == sorted(korean)
