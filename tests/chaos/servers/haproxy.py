"""HAProxy in front of gateways, with PROXY protocol v2 and checks of their readiness."""

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.layout import free_ports

CONFIG = """
global
    maxconn 1000
defaults
    mode tcp
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    retries 3
    option redispatch
listen gateways
    bind 127.0.0.1:{port}
    balance roundrobin
    option httpchk GET /readyz
{servers}
"""
SERVER = "    server {name} 127.0.0.1:{port} send-proxy-v2 check port {admin} inter 200ms fastinter 100ms fall 1 rise 1"


@contextmanager
def run_haproxy(folder: Path, gateways: Mapping[str, tuple[int, int]]) -> Iterator[int]:
    """Runs HAProxy in front of gateways: ports of each and of its admin plane. Yields its own port."""
    (port,) = free_ports(1)
    lines = [SERVER.format(name=name, port=own, admin=admin) for name, (own, admin) in gateways.items()]
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(port=port, servers="\n".join(lines)))
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([program, "-db", "-f", config], stdout=log, stderr=log)
    try:
        time.sleep(0.5)
        assert process.poll() is None, (folder / "haproxy.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait()
