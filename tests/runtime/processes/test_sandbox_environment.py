import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager

import jwt
import pytest

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenState
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.key_fingerprints import CustomerKeyError
from relay.infra.ledger.schema import upgrade
from relay.runtime.processes import sandbox_environment as module
from relay.runtime.processes.sandbox_environment import RelayDied, run, running_environment
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger
from relay.sandbox.customers import get_ci
from relay.sandbox.world.model import CUSTOMERS

READY_RELAY = """
import http.server, sys, yaml
print("serving", sys.argv[1], flush=True)
admin = yaml.safe_load(open(sys.argv[1]))["admin"]
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer((admin["address"], admin["port"]), Ready).serve_forever()
"""


@pytest.fixture
def relay(monkeypatch):
    """Replaces the relay by a script, to make it fail."""

    def replace(script):
        monkeypatch.setattr(module, "SERVE", (sys.executable, "-c", script))

    return replace


def has_ended(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_relay_and_institutions_run_inside_the_block_only(relay, tmp_path):
    relay(READY_RELAY)
    async with running_environment(tmp_path / "sandbox") as running:
        assert not has_ended(running.pid)
        port = running.street.institutions["bank"].port
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
    assert has_ended(running.pid)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


@pytest.fixture
def open_ledger():
    """Opens the ledger of an environment."""

    @asynccontextmanager
    async def use(environment):
        ledger = build_ledger(load_settings(environment.settings, {}).settings.ledger)
        try:
            yield ledger
        finally:
            await ledger.close()

    return use


async def test_each_institution_gets_a_token(relay, tmp_path):
    relay(READY_RELAY)
    async with running_environment(tmp_path / "sandbox") as running:
        tokens = await running.issue_tokens(expires=60)
    assert len(tokens) == 11
    for token in tokens:
        claims = jwt.decode(token.token, options={"verify_signature": False})
        assert claims["org_code"] == token.org_code
        assert claims["exp"] == claims["iat"] + 60
        assert f"{token.industry}.list" in claims["scope"].split()


async def test_each_issued_token_has_a_consent_of_the_first_customer(relay, tmp_path, open_ledger):
    relay(READY_RELAY)
    async with running_environment(tmp_path / "sandbox") as running:
        tokens = await running.issue_tokens()
        async with open_ledger(running.street) as ledger:
            for token in tokens:
                claims = jwt.decode(token.token, options={"verify_signature": False})
                record, consent = await ledger.find_token_and_consent(claims["jti"])
                assert (record.state, consent.state) == (TokenState.LIVE, ConsentState.ACTIVE)
                assert (consent.provider, consent.ci) == (token.org_code, get_ci(CUSTOMERS[0]))


async def test_issuing_again_revokes_the_former_tokens(relay, tmp_path, open_ledger):
    relay(READY_RELAY)
    async with running_environment(tmp_path / "sandbox") as running:
        former, latter = await running.issue_tokens(), await running.issue_tokens()
        async with open_ledger(running.street) as ledger:
            number, revoked = await ledger.list_revoked_after(0)
    jtis = [
        [jwt.decode(token.token, options={"verify_signature": False})["jti"] for token in tokens]
        for tokens in (former, latter)
    ]
    assert (number, sorted(revoked)) == (11, sorted(jtis[0]))


async def test_another_ledger_is_upgraded_and_used(relay, tmp_path, postgresql):
    relay(READY_RELAY)
    url = postgresql.database()
    async with running_environment(tmp_path / "sandbox", ledger=url) as running:
        await running.issue_tokens()
    assert postgresql.sql(url, "select count(*) from tokens where kind = 'access'").strip() == "11"
    assert list((tmp_path / "sandbox").glob("ledger.db*")) == []


async def test_a_second_sandbox_reuses_another_ledger(relay, tmp_path, postgresql, open_ledger):
    relay(READY_RELAY)
    url = postgresql.database()
    for number in range(2):
        async with (
            running_environment(tmp_path / f"sandbox{number}", ledger=url) as running,
            open_ledger(running.street) as ledger,
        ):
            await ledger.check()
            await running.issue_tokens()
    states = "select state, count(*) from consents group by state order by state"
    assert postgresql.sql(url, states).splitlines() == ["active|11", "replaced|11"]


async def test_a_ledger_with_other_keys_is_not_changed(relay, tmp_path, postgresql):
    relay(READY_RELAY)
    url = postgresql.database()
    await upgrade(url, Sealer([CustomerKey("customers-2026", b"1" * 32)]))
    with pytest.raises(CustomerKeyError, match="the ledger knows the customer key 'customers-2026'"):
        async with running_environment(tmp_path / "sandbox", ledger=url):
            pass
    assert postgresql.sql(url, "select kid from key_marks") == "customers-2026\n"


async def test_an_ended_relay_is_reported_with_its_last_log_lines(relay, tmp_path):
    relay("import sys; print('port is taken'); sys.exit(3)")
    with pytest.raises(RelayDied, match=r"(?s)status 3; the end of .*relay.log:\n  port is taken"):
        async with running_environment(tmp_path / "sandbox"):
            pass


async def test_a_relay_that_is_never_ready_is_reported_and_stopped(relay, tmp_path, monkeypatch):
    relay("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    monkeypatch.setattr(module, "READY_S", 0.5)
    with pytest.raises(RelayDied, match="not ready within"):
        async with running_environment(tmp_path / "sandbox"):
            pass
    assert has_ended(int((tmp_path / "sandbox" / "relay.log").read_text()))


async def test_a_relay_that_ignores_sigterm_is_killed(relay, tmp_path, monkeypatch):
    relay("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY_RELAY)
    monkeypatch.setattr(module, "STOP_S", 0.1)
    async with running_environment(tmp_path / "sandbox") as running:
        pass
    assert has_ended(running.pid)


async def test_an_error_inside_stops_the_relay_too(relay, tmp_path):
    relay(READY_RELAY)
    with pytest.raises(ZeroDivisionError):
        async with running_environment(tmp_path / "sandbox") as running:
            raise ZeroDivisionError
    assert has_ended(running.pid)


async def test_settings_of_the_environment_do_not_reach_the_sandbox(relay, tmp_path, monkeypatch):
    relay("import os; print(sorted(name for name in os.environ if name.startswith('RELAY__')))")
    monkeypatch.setenv("RELAY__ADMIN__PORT", "1")
    with pytest.raises(RelayDied, match=r"\[\]"):
        async with running_environment(tmp_path / "sandbox"):
            pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cleans_up_and_sets_the_exit_status(number):
    cleaned_up = []

    async def main():
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            cleaned_up.append(True)

    with pytest.raises(SystemExit) as ended:
        run(main())
    assert ended.value.code == 128 + number
    assert cleaned_up == [True]


def test_run_returns_the_result():
    async def main():
        return 7

    assert run(main()) == 7
