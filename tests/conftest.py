"""What holds for every test, the PostgreSQL that some of them need, and what others bring from npm."""

import getpass
import hashlib
import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# Two cores shared with others make a deadline measure the machine instead of the code; examples are the same each run.
settings.register_profile("relay", deadline=None, derandomize=True)
settings.load_profile("relay")


class PostgreSql:
    """A server of our own, on a unix socket that nobody else knows; for root run by another, as it wants it."""

    def __init__(self):
        self._owner = "postgres" if os.getuid() == 0 else getpass.getuser()
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has 107 characters at most
        shutil.chown(self._folder, self._owner)
        self._folder.chmod(0o755)
        newest = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), default=None)
        self._bin = newest or Path(shutil.which("initdb")).resolve().parent
        self._numbers = itertools.count(1)

    def start(self):
        self._run("initdb", "--no-sync", "--auth=trust", "--username=relay", "-D", self._folder / "data")
        flags = f"-c listen_addresses= -c unix_socket_directories={self._folder} -c fsync=off -c max_connections=200"
        self._run("pg_ctl", "-w", "-D", self._folder / "data", "-l", self._folder / "log", "-o", flags, "start")

    def stop(self):
        self._run("pg_ctl", "-m", "immediate", "-D", self._folder / "data", "stop")
        shutil.rmtree(self._folder)

    def database(self, template="template0"):
        """The URL of a new database, made after another one."""
        name = f"ledger{next(self._numbers)}"
        self._run("createdb", "-h", self._folder, "-U", "relay", "-T", template, name)
        return f"postgresql://relay@/{name}?host={self._folder}"

    def sql(self, url, statement):
        """What one statement says, as text."""
        name = url.partition("@/")[2].partition("?")[0]
        return self._run("psql", "-h", self._folder, "-U", "relay", "-At", "-c", statement, name)

    def _run(self, program, *args):
        command = [self._bin / program, *args]
        done = subprocess.run(
            command,
            user=self._owner,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="session")
def postgresql():
    """A real PostgreSQL; `.database()` gives the URL of a fresh database."""
    server = PostgreSql()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def npm_packages():
    """The folder `node_modules` with exactly what tests/foreign/package-lock.json pins; installed once."""
    folder = Path(__file__).parent / "foreign"
    stamp = folder / "node_modules" / "ready"
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        stamp.write_text(wanted)
    return folder / "node_modules"
