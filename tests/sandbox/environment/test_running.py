import asyncio
import os
import signal
import sys

import jwt
import pytest
from mydata_sandbox.environment import running as module
from mydata_sandbox.environment.running import RelayDied, run, running_environment
from mydata_sandbox.parties import INSTITUTIONS, MEDIATED_BY_CODE
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenState
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.upgrading import upgrade
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger

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
        port = running.environment.institutions["bank"].port
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
    assert has_ended(running.pid)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def find_tokens(environment, tokens):
    """Returns record and consent of each token from the ledger, and the revoked tokens."""
    ledger = build_ledger(load_settings(environment.settings, {}).settings.ledger)
    try:
        jtis = [jwt.decode(token.token, options={"verify_signature": False})["jti"] for token in tokens]
        return [await ledger.find_token_and_consent(jti) for jti in jtis], await ledger.list_revoked_after(0)
    finally:
        await ledger.close()


async def test_each_institution_gets_a_token_from_the_relay(tmp_path):
    async with running_environment(tmp_path / "sandbox") as running:
        former, latter = await running.issue_tokens(), await running.issue_tokens()
        replaced, (number, revoked) = await find_tokens(running.environment, former)
        issued, _ = await find_tokens(running.environment, latter)
    assert [token.org_code for token in latter] == [*(code for code, _ in INSTITUTIONS.values()), *MEDIATED_BY_CODE]
    for token, (record, consent) in zip(latter, issued, strict=True):
        assert (record.state, consent.state) == (TokenState.LIVE, ConsentState.ACTIVE)
        assert (consent.provider, consent.ci) == (token.org_code, get_ci(CUSTOMERS[0]))
        assert f"{token.industry}.list" in record.scope.split()
    assert {(record.state, consent.state) for record, consent in replaced} == {
        (TokenState.REVOKED, ConsentState.REPLACED)
    }
    assert {record.jti for record, _ in replaced} <= set(revoked)
    assert number >= len(former)


async def test_a_second_sandbox_reuses_another_ledger(tmp_path, postgresql):
    url = postgresql.database()
    for number in range(2):
        async with running_environment(tmp_path / f"sandbox{number}", ledger=url) as running:
            await running.issue_tokens()
    states = "select state, count(*) from consents group by state order by state"
    count = len(INSTITUTIONS) + len(MEDIATED_BY_CODE)
    assert postgresql.sql(url, states).splitlines() == [f"active|{count}", f"replaced|{count}"]
    assert list(tmp_path.glob("*/ledger.db*")) == []


async def test_a_ledger_with_other_keys_is_not_changed(relay, tmp_path, postgresql):
    relay(READY_RELAY)
    url = postgresql.database()
    await upgrade(url, Sealer([CustomerKey("customers-2026", b"1" * 32)]))
    with pytest.raises(RelayDied, match="the ledger knows the customer key 'customers-2026'"):
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
