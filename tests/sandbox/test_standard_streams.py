import subprocess
import sys

import pytest

SHOW = """
import os, sys
from mydata_sandbox.standard_streams import open_missing_descriptors
open_missing_descriptors()
print("written to stdout")
opened = os.open(os.devnull, os.O_RDONLY)
sys.exit(0 if opened > 2 and None not in (sys.stdin, sys.stdout, sys.stderr) else 1)
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_the_next_file_is_no_standard_descriptor(closed):
    command = ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, SHOW]
    assert subprocess.run(command, check=False).returncode == 0


def test_open_descriptors_stay():
    result = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True)
    assert result.stdout == "written to stdout\n"


@pytest.mark.full
def test_a_demo_with_closed_stdin_makes_all_calls(tmp_path):
    command = ["sh", "-c", 'exec "$0" -m mydata_sandbox demo --json <&-', sys.executable]
    result = subprocess.run(command, capture_output=True, text=True, env=None, timeout=120, check=False)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, '{"summary": {"calls": 148, "ok": 148}}')
