"""Runs the load generator: start, warm up, run, read the result."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.processes import pinned


class LoadFailed(Exception):
    """The load generator failed."""


@dataclass(frozen=True, slots=True)
class Load:
    """The result of the load generator."""

    requests: int
    errors: int
    seconds: float
    rps: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    first_error: str


def parse(line: str) -> Load:
    """Parses the generator's JSON line. Raises LoadFailed."""
    try:
        return Load(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise LoadFailed(f"not a result: {line!r}") from error


class Generator:
    """A load generator whose connections are open and warm."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def go(self) -> None:
        """Starts the run."""
        assert self._process.stdin
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> Load:
        """Waits for the end of the run and returns its result."""
        assert self._process.stdout
        return parse(self._process.stdout.readline())


@contextmanager
def generator(program: str, core: int, flags: list[str]) -> Iterator[Generator]:
    """Starts the generator, yields it warm, and kills it after the block."""
    process = subprocess.Popen(
        pinned(core, [program, *flags]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        if process.stdout.readline().strip() != "ready":
            process.kill()
            raise LoadFailed(process.communicate()[1].strip() or "the load generator printed nothing")
        yield Generator(process)
    finally:
        process.kill()
        process.communicate()
