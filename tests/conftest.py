"""Options and fixtures of all tests: PostgreSQL, Redis, DNS, npm packages."""

import fcntl
import gc
import hashlib
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.test_utils import BaseTestServer
from harness.name_server import NameServer
from harness.postgresql import PostgreSql
from harness.redis_server import RedisServer
from hypothesis import settings

from relay.endpoint.serving import open_runner
from relay.runtime.build_form import get_build_form

# On shared cores a deadline measures the machine, not the code. Examples are the same in each run.
settings.register_profile("relay", deadline=None, derandomize=True)
settings.load_profile("relay")


def pytest_configure(config):
    """Allows what mypyc's coroutines do on Python 3.12 and later: they call `throw` with three arguments."""
    if get_build_form() == "compiled":
        config.addinivalue_line("filterwarnings", r"ignore:the \(type, exc, tb\) signature of throw:DeprecationWarning")


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="also run full-size versions of shorter tests")


SLOW_FOLDERS = ("scenarios", "sandbox", "runtime", "bench", "browser", "foreign", "infra", "house")
"""Folders whose tests start processes and servers. Begun first, none of their files is the last one that runs."""


def find_turn(item):
    """Returns the place of a test's folder in the order of the suite."""
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return SLOW_FOLDERS.index(folder) if folder in SLOW_FOLDERS else len(SLOW_FOLDERS)


def pytest_collection_modifyitems(config, items):
    items.sort(key=find_turn)
    if config.getoption("--full"):
        return
    full_size_items = [item for item in items if item.get_closest_marker("full")]
    if full_size_items:
        items[:] = [item for item in items if not item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=full_size_items)


def pytest_collection_finish():
    """Excludes 12,000 collected tests from garbage collection: a full collection took seconds."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def full_size(pytestconfig):
    """Whether tests run with their full number of repetitions."""
    return pytestconfig.getoption("--full")


@pytest.fixture(scope="session")
def look_alikes():
    """Spellings of a parameter name that other parsers could accept: case, blanks, members, lists, NFKC."""
    wide = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(ord("a"), ord("z") + 1)})

    def spell(name):
        camel = name[0] + name.title().replace("_", "")[1:]
        spellings = [name.upper(), name.title(), camel, name.replace("_", "-"), name.translate(wide), f"{name}\u200b"]
        forms = ("{} ", " {}", "{}.value", "request.{}", "{}[]", "{}[0]", "request[{}]", "+{}", "{}\0")
        spellings += [form.format(name) for form in forms] + [f"%{ord(name[0]):x}{name[1:]}"]
        return [spelling for spelling in dict.fromkeys(spellings) if spelling != name]

    return spell


@pytest.fixture(scope="session")
def postgresql():
    """A real PostgreSQL; `.database()` gives the URL of a fresh database."""
    server = PostgreSql()
    server.start()
    yield server
    server.stop()


class Clock:
    """A clock that only a test moves."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """A clock at 100.0 seconds; a test sets `now`."""
    return Clock()


class RelayServer(BaseTestServer):
    """A server on loopback that serves an application as the relay does; `options` go to `open_runner`."""

    def __init__(self, app, build_error_response, **options):
        super().__init__()
        self._opened = open_runner(app, build_error_response, **options)

    async def _make_runner(self, **_):
        return await self._opened.__aenter__()

    async def close(self):
        if self.started and not self.closed:
            await super().close()
            await self._opened.__aexit__(None, None, None)


@pytest_asyncio.fixture
async def serve():
    """Returns a function that serves an application as the relay does. The server is for `aiohttp_client`."""
    servers = []

    async def start(app, build_error_response, *, ssl=None, **options):
        servers.append(RelayServer(app, build_error_response, **options))
        await servers[-1].start_server(ssl=ssl)
        return servers[-1]

    yield start
    for server in servers:
        await server.close()


@pytest_asyncio.fixture
async def name_server():
    """A DNS server on loopback; `.place` is its ADDRESS:PORT."""
    server = NameServer()
    await server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server():
    """A real Redis. A test that kills or pauses it must restart it."""
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def npm_packages():
    """The folder `node_modules`, installed once as tests/foreign/package-lock.json pins it."""
    folder = Path(__file__).parent / "foreign"
    stamp = folder / "node_modules" / "ready"
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    with lock_folder(folder):
        if not stamp.exists() or stamp.read_text() != wanted:
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stderr
            stamp.write_text(wanted)
    return folder / "node_modules"


@contextmanager
def lock_folder(folder):
    """Locks a folder, so that two processes do not install at once."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
