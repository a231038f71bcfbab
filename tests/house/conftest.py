"""The house as git knows it: what is tracked, and what its Python says."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def tracked():
    """Paths below the root. A clone that belongs to another user is read all the same."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    return [path for name in listed.split("\0") if name and (path := Path(name)) and (ROOT / path).is_file()]


@pytest.fixture(scope="session")
def texts(tracked):
    """Every tracked file that is text, by path."""
    found = {}
    for path in tracked:
        raw = (ROOT / path).read_bytes()
        if b"\0" not in raw:
            found[path] = raw.decode()
    return found


@pytest.fixture(scope="session")
def parsed(texts):
    """Every tracked Python file as a syntax tree, by path."""
    return {path: ast.parse(text) for path, text in texts.items() if path.suffix == ".py"}


@pytest.fixture(scope="session")
def relay(parsed):
    """The trees of the relay itself."""
    return {path: tree for path, tree in parsed.items() if path.parts[0] == "relay"}
