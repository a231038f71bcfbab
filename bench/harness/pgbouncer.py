"""A PgBouncer of one's own before a PostgreSQL server, for tests."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from harness.postgresql import PostgreSql

_READY_S: Final = 10.0
_SETTINGS: Final = """
[databases]
* = host={server}
[pgbouncer]
pool_mode = {mode}
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
default_pool_size = 2
logfile = {folder}/log
"""


class PgBouncer:
    """Debian's PgBouncer with two connections to the server; `mode` is `session` or `transaction`."""

    def __init__(self, server: PostgreSql, mode: str) -> None:
        owner = "postgres" if os.getuid() == 0 else getpass.getuser()
        self._folder = Path(tempfile.mkdtemp(prefix="pb-"))
        (self._folder / "users").write_text('"relay" ""\n')
        (self._folder / "ini").write_text(_SETTINGS.format(server=server.folder, mode=mode, folder=self._folder))
        shutil.chown(self._folder, owner)
        self._folder.chmod(0o755)
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        self._process = subprocess.Popen(
            [program, "-q", self._folder / "ini"],
            user=owner,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._expect_ready()

    def stop(self) -> None:
        """Stop at once and leave nothing behind."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder)

    def url(self, url: str, words: str = "") -> str:
        """The URL of a database through this PgBouncer."""
        return f"{url.partition('?')[0]}?host={self._folder}&port=6432{words}"

    def _expect_ready(self) -> None:
        ends = time.monotonic() + _READY_S
        while time.monotonic() < ends:
            with socket.socket(socket.AF_UNIX) as line:
                if line.connect_ex(str(self._folder / ".s.PGSQL.6432")) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError((self._folder / "log").read_text())
