"""Installs the Debian packages of the benchmark and compiles its two C programs; starts no service."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console

from harness.layout import BENCH, BUILD

NEEDED: Final = {
    "nginx-light": "/usr/sbin/nginx",
    "libnginx-mod-http-lua": "/usr/lib/nginx/modules/ngx_http_lua_module.so",
    "lua-resty-lrucache": "/usr/share/lua/5.1/resty/lrucache.lua",
    "lua-cjson": "/usr/lib/*/lua/5.1/cjson.so",
    "haproxy": "/usr/sbin/haproxy",
    "gcc": "/usr/bin/gcc",
    "libc6-dev": "/usr/include/stdio.h",
    "libssl-dev": "/usr/include/openssl/ssl.h",
    "util-linux": "/usr/bin/taskset",
}
"""Package, and the file that shows that it is installed (also by another package)."""

POLICY: Final = Path("/usr/sbin/policy-rc.d")


class NotInstallable(Exception):
    """A package or program cannot be installed; the text says what to do."""


def missing() -> list[str]:
    """Returns the packages whose file is missing."""
    return [package for package, file in NEEDED.items() if not any(Path("/").glob(file.lstrip("/")))]


@contextmanager
def services_stay_down() -> Iterator[None]:
    """Keeps Debian from starting installed services, by policy-rc.d while apt runs; an existing one is kept."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def install(console: Console) -> None:
    """Installs missing packages. Raises NotInstallable with the command to run by hand."""
    packages = missing()
    if not packages:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    by_hand = f"run as root: apt-get update && {' '.join(command)}"
    if os.geteuid() != 0:
        raise NotInstallable(f"missing: {', '.join(packages)}; {by_hand}")
    console.print(f"installing {', '.join(packages)}")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with services_stay_down():
        for step in (["apt-get", "update"], command):
            try:
                done = subprocess.run(step, env=quiet, capture_output=True, text=True, check=False)
            except FileNotFoundError as error:
                raise NotInstallable(f"this is no Debian (no apt-get); missing: {', '.join(packages)}") from error
            if done.returncode and step is command:
                raise NotInstallable(f"{' '.join(step)} failed:\n{done.stderr[-2000:]}\n{by_hand}")
    if packages := missing():
        raise NotInstallable(f"installed, but files are missing: {', '.join(packages)}")


def compiled(name: str, *libraries: str) -> str:
    """Compiles a C program of bench/ when its source is newer, and returns its path."""
    source, program = BENCH / f"{name}.c", BUILD / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        command = ["gcc", "-O2", "-Wall", "-o", str(program), str(source), *libraries]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotInstallable(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return str(program)
