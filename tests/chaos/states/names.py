"""Names of institutions that are resolved slowly, not at all, or to a wrong address."""

import ssl
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from fixtures.institution import Institution
from harness.name_server import NameServer

from chaos.counts import compare_counts
from chaos.environment import BANK, OTHER, THIRD, TIMEOUTS, make_banks, make_certificates, open_environment
from chaos.phases import SUCCESS, require_codes, require_healthy, run_phases
from chaos.row import Row

SERVER = "127.0.0.68"
"""Address of the name server: /etc/resolv.conf has no ports."""

NAME, FRESH_NAME = "bank.test", "fresh.test"
WRONG_ADDRESS = "127.0.0.9"
SLOW_S = 0.7
TTL_S = 5
"""The shortest that the relay keeps."""


async def names_slow(row: Row, folder: Path) -> None:
    """The name server takes long for each answer."""

    async def enter(server: NameServer) -> None:
        server.delay_s = SLOW_S

    async def leave(server: NameServer) -> None:
        server.delay_s = 0.0

    await run_with_names(row, folder, enter, leave, {SUCCESS}, fresh=SUCCESS)


async def names_silent(row: Row, folder: Path) -> None:
    """The name server answers nothing."""

    async def enter(server: NameServer) -> None:
        server.silent = {NAME, FRESH_NAME}

    async def leave(server: NameServer) -> None:
        server.silent = set()

    await run_with_names(row, folder, enter, leave, {SUCCESS}, fresh="500 50003")


async def names_wrong(row: Row, folder: Path) -> None:
    """The name leads to the server of another institution."""

    async def enter(server: NameServer) -> None:
        server.addresses[NAME] = [WRONG_ADDRESS]

    async def leave(server: NameServer) -> None:
        server.addresses[NAME] = ["127.0.0.1"]

    await run_with_names(row, folder, enter, leave, {"500 50005"}, fresh=SUCCESS)


async def run_with_names(row: Row, folder: Path, enter, leave, codes, *, fresh: str) -> None:
    """Runs a bank with a name; `fresh` is what a name gets that the relay resolves for the first time."""
    async with open_names(folder) as (env, server, wrong):

        async def degrade() -> None:
            await enter(server)
            await env.run_phase("change", TTL_S + 0.5)
            for _ in range(2):  # the first connection still takes the old address, and looks the name up
                for wire in list(env.bank.wires):
                    wire.close()
                await env.run_phase("change", 1.0)

        async def restore() -> None:
            call = await env.call(provider=THIRD)
            row.figures["fresh_name"] = f"{call.status} {call.rsp_code} after {call.ms / 1000:.1f} s"
            allowed = {fresh, "500 50005"} if fresh != SUCCESS else {fresh}
            row.require(f"a fresh name gets {fresh}", f"{call.status} {call.rsp_code}" in allowed)
            await leave(server)

        async with env.load(BANK, rate=20), env.load(OTHER):
            await run_phases(env, degrade, restore, 2.5)
        row.figures["queries"] = server.asked[NAME]
        row.require("the name was looked up again", server.asked[NAME] > 1)
        row.figures["requests_at_the_wrong_server"] = len(wrong.received)
        row.require("no request reaches the wrong server", not wrong.received)
        require_codes(row, env, codes)
        require_healthy(row, env)
        if SUCCESS not in codes:
            named = env.gateway.count_lines("tls_hostname")
            row.require(f"one log line with the cause tls_hostname, not {named}", named == 1)
        await compare_counts(row, env)


@asynccontextmanager
async def open_names(folder: Path):
    """Opens a gateway whose /etc/resolv.conf names our server. Needs root. Yields it, the server, a wrong server."""
    certificates = make_certificates()

    def make_context(name: str) -> ssl.SSLContext:
        names = [x509.DNSName(name)]
        pair = certificates.authority.issue(name, serial_number=None, folder=folder, addresses=names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.private_key)
        return context

    tls = {"timeouts": TIMEOUTS | {"idle_s": 1}, "link": "tls", "ca": str(certificates.ca)}
    named = Institution(BANK, "bank", make_context(NAME), host=NAME, **tls)
    unresolved = Institution(THIRD, "bank", make_context(FRESH_NAME), host=FRESH_NAME, **tls)
    wrong = Institution(THIRD, "bank", make_context("other.test"))
    server = NameServer()
    server.ttl = TTL_S
    server.addresses = {NAME: ["127.0.0.1"], FRESH_NAME: ["127.0.0.1"]}
    await server.start(SERVER, 53)
    resolver = folder / "resolv.conf"
    resolver.write_text(f"nameserver {SERVER}\noptions timeout:1 attempts:2\n")
    script = f'mount --bind {resolver} /etc/resolv.conf && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", script, "sh"]
    try:
        async with open_environment(folder, [named, unresolved, *make_banks(OTHER)]) as env:
            wrong.address, wrong.port = WRONG_ADDRESS, env.bank.port
            await wrong.open()
            await env.add_relay("one", prefix=prefix)
            yield env, server, wrong
    finally:
        await wrong.stop()
        server.stop()
