"""The portal that is away, the registry that is old, and the revocation list of a certifier that is stale."""

import asyncio
import sqlite3
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from fixtures.gateway_environment import TWO
from fixtures.waiting import until
from mydata_sandbox.operator.registration import wait_for_registration
from mydata_sandbox.world.model import CUSTOMERS

from chaos.counts import compare_counts
from chaos.phases import SUCCESS, require_codes, run_phases
from chaos.row import Row
from chaos.sandbox import SandboxEnvironment, open_sandbox

DAY_S = 86_400
RATE = 20.0
BANK = "ZBAA000001"
SIGNED = 3
"""Token calls that succeed in the row of the revocation list, beside the load."""

AGE = "relay_directory_age_seconds"


async def portal_away(row: Row, folder: Path) -> None:
    """The portal does not listen; the last sync seems to be a day old."""
    await run_without_portal(row, folder, restarts=False)


async def directory_stale(row: Row, folder: Path) -> None:
    """The relay is started again while the registry in its ledger is a day old and the portal is away."""
    await run_without_portal(row, folder, restarts=True)


async def run_without_portal(row: Row, folder: Path, *, restarts: bool) -> None:
    """Runs the phases without a portal, which has changed the registry when it is back."""
    async with open_sandbox(folder) as env, AsyncExitStack() as stack:

        async def enter() -> None:
            await stack.enter_async_context(env.portal.pause_portal())
            age_registry(env)
            if restarts:
                await env.gateway.stop()
                started = time.monotonic()
                await env.gateway.start()
                row.figures["ready_again_after_s"] = round(time.monotonic() - started, 1)
            age = await env.gateway.wait_for_metric(AGE, lambda seconds: seconds > DAY_S)
            row.require(f"{AGE} is above a day", age > DAY_S)
            row.require("/readyz answers 200", (await env.gateway.admin("/readyz"))[0] == 200)

        async def leave() -> None:
            row.figures["failures"] = await env.wait_for_job(lambda number: number >= 1)
            row.require("relay_job_failures counts", row.figures["failures"] >= 1)
            env.portal.registry.change(TWO, name="하루 뒤의 이름")
            await stack.aclose()
            age = await env.gateway.wait_for_metric(AGE, lambda seconds: seconds < 60)
            row.require("the registry is current", age < 60)

        async with env.load(BANK, rate=RATE):
            await run_phases(env, enter, leave)
        require_codes(row, env, {SUCCESS})
        row.require("the log names the failed job", env.gateway.count_lines("the portal gave no registry") >= 1)
        current = await env.portal.ledger.registry.registry()
        row.require("the change has arrived", current.organisations[TWO].name == "하루 뒤의 이름")
        row.require("the sync succeeds again", await env.wait_for_job(lambda number: number == 0, 30.0) == 0)
        await compare_counts(row, env)


def age_registry(env: SandboxEnvironment) -> None:
    """Moves the time of the last sync back by a day, in the ledger: no clock of a process can be awaited."""
    with sqlite3.connect(env.portal.settings.parent / "ledger.db", timeout=20) as ledger:
        ledger.execute("UPDATE registry_head SET synced_at = synced_at - ?", (DAY_S + 60,))
    ledger.close()


async def crl_stale(row: Row, folder: Path) -> None:
    """The revocation list of a certifier is past its next update."""
    async with open_sandbox(folder) as env, env.open_authority_client() as client:
        sandbox = env.portal.sandbox
        card, certifiers, customer = sandbox.institutions["card"], sandbox.certifiers, CUSTOMERS[1]

        async def sign_by_certificate() -> str:
            call, _ = await client.obtain_by_certificate(card, customer, certifiers)
            return f"{call.status} {'; '.join(call.why)}".strip()

        async def enter() -> None:
            write_crl(env, timedelta(hours=-1))
            await reload_authority(env)

        async def leave() -> None:
            refused = await sign_by_certificate()
            row.figures["by_certificate"] = refused.partition(":")[0]
            row.require("a signature by certificate is refused", refused.startswith("503"))
            call, _ = await client.obtain_by_provider(card, customer, certifiers)
            row.require("a signature by an e-signature provider is accepted", call.status == 200)
            write_crl(env, timedelta(days=7))
            await reload_authority(env)

        await wait_for_registration(lambda: client.check_registration(card))
        accepted = await sign_by_certificate()
        row.require(f"a signature is accepted before: {accepted}", accepted == "200")
        async with env.load(BANK, rate=RATE):
            await run_phases(env, enter, leave, 1.0)
        accepted = await sign_by_certificate()
        row.require(f"a signature is accepted after: {accepted}", accepted == "200")
        require_codes(row, env, {SUCCESS})
        row.require("the log names the stale list", env.gateway.count_lines("revocation_unknown") >= 1)
        await compare_counts(row, env, elsewhere=SIGNED)


def write_crl(env: SandboxEnvironment, valid_for: timedelta) -> None:
    """Writes an empty revocation list whose next update is then."""
    pki, now = env.portal.sandbox.certifiers.pki, datetime.now(UTC)
    ca = pki.identity("customers-ca")
    builder = x509.CertificateRevocationListBuilder(ca.certificate.subject, now - timedelta(days=1), now + valid_for)
    pki.crl.write_bytes(builder.sign(ca.private_key, hashes.SHA256()).public_bytes(Encoding.PEM))


async def reload_authority(env: SandboxEnvironment) -> None:
    """Sends SIGHUP and waits until the authority has applied the settings."""
    text = "settings applied: role=authority"
    applied = env.gateway.count_lines(text)
    env.gateway.hang_up()
    await until(lambda: env.gateway.count_lines(text) > applied, "the reload of the authority")
    await asyncio.sleep(0.2)
