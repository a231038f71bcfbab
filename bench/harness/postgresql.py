"""A private PostgreSQL server for benchmarks and tests, on a unix socket."""

import getpass
import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_UNTIL_IT_FOLLOWS = """DO $$ BEGIN
    FOR attempt IN 1..1000 LOOP
        IF EXISTS (SELECT FROM pg_stat_wal_receiver) THEN RETURN; END IF;
        PERFORM pg_sleep(0.02);
    END LOOP;
    RAISE 'the standby follows no primary after 20 s';
END $$"""
"""A standby takes connections before it follows its primary; waits for that."""


class PostgreSql:
    """Debian's PostgreSQL in a folder of its own; for root it is run by another user, as it wants it.

    A `durable` one writes through to the disk at each commit, as in production; tests need not wait for that.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._owner = "postgres" if os.getuid() == 0 else getpass.getuser()
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has 107 characters at most
        shutil.chown(self._folder, self._owner)
        self._folder.chmod(0o755)
        self._bin = _programs()
        self._fsync = "on" if durable else "off"
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Make the cluster and serve it. Raises AssertionError with what the programs said."""
        self._run("initdb", "--no-sync", "--auth=trust", "--username=relay", "-D", self._folder / "data")
        self._serve()

    def follow(self, primary: "PostgreSql") -> None:
        """Serve a copy of another server and follow it. Raises AssertionError with what the programs said."""
        self._run("pg_basebackup", "-R", "-c", "fast", "-X", "stream", "-h", primary.folder, "-U", "relay",
                  "-D", self._folder / "data")  # fmt: skip
        self._serve()
        self._run("psql", "-h", self._folder, "-U", "relay", "-At", "-c", _UNTIL_IT_FOLLOWS, "postgres")

    def halt(self) -> None:
        """Stop, and keep the data for `resume`."""
        self._run("pg_ctl", "-w", "-m", "fast", "-D", self._folder / "data", "stop")

    def resume(self) -> None:
        """Start again after `halt`."""
        self._serve()

    def demote(self) -> None:
        """Start again as a standby that follows no primary."""
        self.halt()
        self._run("touch", self._folder / "data" / "standby.signal")
        self._serve()

    def promote(self) -> None:
        """Become the primary."""
        self._run("pg_ctl", "-w", "-D", self._folder / "data", "promote")

    @property
    def folder(self) -> Path:
        """Where its socket is."""
        return self._folder

    def _serve(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self._folder,
            "fsync": self._fsync,
            "max_connections": 200,
        }
        flags = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "-w", "-D", self._folder / "data", "-l", self._folder / "log", "-o", flags, "start")

    def stop(self) -> None:
        """Stop at once and leave nothing behind."""
        self._run("pg_ctl", "-m", "immediate", "-D", self._folder / "data", "stop")
        shutil.rmtree(self._folder)

    @property
    def pid(self) -> int:
        """The server's first process; those of connections descend from it."""
        return int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0])

    def database(self, template: str = "template0") -> str:
        """Creates a database from a template and returns its URL."""
        name = f"ledger{next(self._numbers)}"
        self._run("createdb", "-h", self._folder, "-U", "relay", "-S", "file_copy", "-T", template, name)
        return f"postgresql://relay@/{name}?host={self._folder}"

    def sql(self, url: str, statement: str) -> str:
        """Runs a statement and returns its output as text."""
        name = url.partition("@/")[2].partition("?")[0]
        return self._run("psql", "-h", self._folder, "-U", "relay", "-At", "-c", statement, name)

    def _run(self, program: str, *args: str | Path) -> str:
        done = subprocess.run(
            [self._bin / program if (self._bin / program).exists() else program, *args],
            user=self._owner,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise AssertionError(done.stdout)
        return done.stdout


def _programs() -> Path:
    """Returns the folder of the newest installed server; Debian does not put its programs on PATH."""
    folder = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), default=None)
    return folder or Path(shutil.which("initdb") or "/usr/bin/initdb").resolve().parent
