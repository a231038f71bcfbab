"""Certificates that have expired."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fixtures.caller import Connection, client_context
from fixtures.institution import Institution
from fixtures.waiting import until

from chaos.counts import compare_counts
from chaos.environment import BANK, OTHER, TIMEOUTS, Environment, make_banks, make_certificates, open_gateway
from chaos.load import FAILURES
from chaos.phases import SUCCESS, require_codes, require_healthy, run_phases
from chaos.row import Row

PROBES = 10
LEFT_S = 8.0
"""Time until the certificate of the relay ends, from the start of the row."""

CERTIFICATE, KEY = "relay-short.pem", "relay-short.key.pem"


async def operator_certificate_expired(row: Row, folder: Path) -> None:
    """An operator connects with an expired certificate."""
    async with open_gateway(folder) as env:
        context = client_context(env.certificates.ca, env.certificates.expired_operator)

        async def enter() -> None:
            refused = 0
            for _ in range(PROBES):
                try:
                    async with await Connection.open(env.gateway.port, context) as connection:
                        await connection.call(env.build_request(env.make_call()))
                except FAILURES:
                    refused += 1
            row.figures["handshakes_refused"] = refused
            row.require("every handshake is refused", refused == PROBES)

        async def leave() -> None:
            name = 'relay_handshakes_rejected_total{reason="certificate_expired"}'
            counted = await env.gateway.wait_for_metric(name, lambda number: number == PROBES, 5.0)
            row.require("relay_handshakes_rejected counts each", counted == PROBES)

        async with env.load(BANK):
            await run_phases(env, enter, leave, 1.0)
        env.calls = [call for call in env.calls if call.ended]  # without those of the expired certificate
        require_codes(row, env, {SUCCESS})
        row.require("the log names it", env.gateway.count_lines("certificate_expired") >= 1)
        await compare_counts(row, env)


async def institution_certificate_expired(row: Row, folder: Path) -> None:
    """The certificate of an institution expires; its connections are closed by then."""
    certificates = make_certificates()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    good = certificates.providers["bank"]
    expired = certificates.authority.issue(
        "Expired Bank", serial_number=None, folder=folder, not_after=datetime.now(UTC) - timedelta(hours=1)
    )
    context.load_cert_chain(good.certificate, good.private_key)
    bank = Institution(BANK, "bank", context, timeouts=TIMEOUTS, link="tls", ca=str(certificates.ca))
    async with open_gateway(folder, [bank, *make_banks(OTHER)]) as env:

        async def present(pair) -> None:
            context.load_cert_chain(pair.certificate, pair.private_key)
            for wire in list(bank.wires):
                wire.close()

        async with env.load(BANK, rate=20), env.load(OTHER):
            await run_phases(env, lambda: present(expired), lambda: present(good))
        require_codes(row, env, {"500 50005"})
        require_healthy(row, env)
        lines = env.gateway.count_lines("cause=tls_expired")
        row.require("one log line with the cause tls_expired", lines == 1)
        await compare_counts(row, env)


async def relay_certificate_expired(row: Row, folder: Path) -> None:
    """The certificate of the relay expires while it serves, and is replaced by a reload."""
    certificates = make_certificates()

    def issue(ends: datetime) -> None:
        issued = certificates.authority.issue(
            "Simulated Relay", stem="relay-short", serial_number=certificates.relay.serial_number,
            folder=folder, not_after=ends,
        )  # fmt: skip
        row.figures["file"] = issued.certificate.name

    ends = datetime.now(UTC) + timedelta(seconds=LEFT_S)
    issue(ends)
    tls = {"certificate": CERTIFICATE, "private_key": f"file:{KEY}", "client_ca": str(certificates.ca)}
    async with open_gateway(folder, gateway={"tls": tls}) as env:
        row.require("a warning of the certificate that ends", env.gateway.count_lines(CERTIFICATE) >= 1)

        async def enter() -> None:
            await asyncio.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 1.0)

        async def leave() -> None:
            probe = await env.call()
            row.figures["new_connection"] = probe.error[:80]
            row.require("operators refuse the expired certificate", not probe.is_success)
            issue(datetime.now(UTC) + timedelta(days=90))
            await reload(env)

        async with env.load(BANK):
            await run_phases(env, enter, leave, 2.0)
        row.require("new connections succeed after the reload", (await env.call()).is_success)
        row.figures.pop("file")
        require_codes(row, env, {SUCCESS})
        await compare_counts(row, env)


async def reload(env: Environment) -> None:
    """Sends SIGHUP and waits until the settings apply."""
    applied = env.gateway.count_lines("settings applied")
    env.gateway.hang_up()
    await until(lambda: env.gateway.count_lines("settings applied") > applied, "the reload")
