"""Fixtures: tracked files, their texts and syntax trees."""

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
    """Tracked paths below the root, also in a clone of another user."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    return [path for name in listed.split("\0") if name and (path := Path(name)) and (ROOT / path).is_file()]


@pytest.fixture(scope="session")
def texts(tracked):
    """Contents of tracked text files by path."""
    contents = {}
    for path in tracked:
        raw = (ROOT / path).read_bytes()
        if b"\0" not in raw:
            contents[path] = raw.decode()
    return contents


@pytest.fixture(scope="session")
def parsed(texts):
    """Syntax trees of tracked Python files by path."""
    return {path: ast.parse(text) for path, text in texts.items() if path.suffix == ".py"}


@pytest.fixture(scope="session")
def relay(parsed):
    """Syntax trees of the relay by path."""
    return {path: tree for path, tree in parsed.items() if path.parts[0] == "relay"}


@pytest.fixture(scope="session")
def sandbox(parsed):
    """Syntax trees of the sandbox by path."""
    return {path: tree for path, tree in parsed.items() if path.parts[:2] == ("sandbox", "mydata_sandbox")}


@pytest.fixture(scope="session")
def packages(relay, sandbox):
    """Syntax trees of both distributions by path."""
    return relay | sandbox
