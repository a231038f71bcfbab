"""`.ci/with-compiled` runs the compiled form only if it was built from the present sources."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "pyproject.toml",
    "setup.py",
    "constraints-build.txt",
    ".ci/build_backend.py",
    ".ci/source-hash",
    ".ci/with-compiled",
)
PRINT = "import os; print(os.environ.get('PYTHONPATH', ''))"


@pytest.fixture
def tree(tmp_path):
    """A copy of the build's files with one source, and a build of it."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "relay").mkdir()
    (tmp_path / "relay" / "one.py").write_text("LIMIT = 1\n")
    (tmp_path / "build" / "compiled").mkdir(parents=True)
    command = [tmp_path / ".ci" / "source-hash", sys.executable]
    built = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (tmp_path / "build" / "compiled" / "ready").write_text(f"{built}{sys.executable}\n")
    return tmp_path


def runs_compiled(tree):
    command = [tree / ".ci" / "with-compiled", sys.executable, "-c", PRINT]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    is_compiled = str(tree / "build" / "compiled") in done.stdout
    assert is_compiled is ("The pure form runs" not in done.stderr)
    return is_compiled


def change(tree):
    (tree / "relay" / "one.py").write_text("LIMIT = 2\n")


def change_and_date_back(tree):
    change(tree)
    os.utime(tree / "relay" / "one.py", (0, 0))


def rename(tree):
    (tree / "relay" / "one.py").rename(tree / "relay" / "two.py")


def change_build(tree):
    with (tree / "setup.py").open("a") as file:
        file.write("# changed\n")


def test_a_build_of_the_present_sources_runs(tree):
    os.utime(tree / "relay" / "one.py")  # younger than the build, as after a checkout
    assert runs_compiled(tree)


@pytest.mark.parametrize("spoil", [change, change_and_date_back, rename, change_build])
def test_a_build_of_other_sources_does_not_run(tree, spoil):
    spoil(tree)
    assert not runs_compiled(tree)
