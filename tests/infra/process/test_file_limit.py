"""The limit of open files, in a process of its own."""

import subprocess
import sys

import pytest

RAISE = """
import logging, resource, sys
from relay.infra.process.file_limit import raise_file_limit
soft, hard, needed = map(int, sys.argv[1:])
logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stdout)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(raise_file_limit(needed), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""
WARNING = "WARNING file limit too low for the settings: limit=300 needed=400; raise the hard limit"


@pytest.mark.parametrize(
    ("soft", "hard", "needed", "lines"),
    [
        (200, 300, 100, ["200 200 300"]),
        (200, 300, 200, ["200 200 300"]),
        (200, 300, 250, ["250 250 300"]),
        (200, 300, 400, [WARNING, "300 300 300"]),
    ],
)
def test_the_limit_is_raised_up_to_the_hard_limit(soft, hard, needed, lines):
    completed = subprocess.run(
        [sys.executable, "-c", RAISE, str(soft), str(hard), str(needed)], capture_output=True, text=True, check=True
    )
    output = completed.stdout.splitlines()
    assert [line[: len(expected)] for line, expected in zip(output, lines, strict=True)] == lines
