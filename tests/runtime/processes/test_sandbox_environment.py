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
from relay.infra.ledger.key_fingerprints import KeysUnfit
from relay.infra.ledger.schema import upgrade
from relay.runtime.processes import sandbox_environment as room
from relay.runtime.processes.sandbox_environment import RelayDied, neighbourhood, run
from relay.runtime.settings.loading import load
from relay.runtime.wiring.ledger import ledger_of
from relay.sandbox.customers import ci_of
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
    """The relay replaced by a script, so that the ways it can fail are at hand."""

    def is_a(script):
        monkeypatch.setattr(room, "SERVE", (sys.executable, "-c", script))

    return is_a


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_relay_and_institutions_run_inside_the_block_only(relay, tmp_path):
    relay(READY_RELAY)
    async with neighbourhood(tmp_path / "street") as around:
        assert not gone(around.pid)
        door = around.street.institutions["bank"].port
        _, writer = await asyncio.open_connection("127.0.0.1", door)
        writer.close()
        await writer.wait_closed()
    assert gone(around.pid)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", door)


@pytest.fixture
def ledger_of_street():
    """Opens the ledger that a street's settings lead to."""

    @asynccontextmanager
    async def opened(street):
        ledger = ledger_of(load(street.settings, {}).settings.ledger)
        try:
            yield ledger
        finally:
            await ledger.close()

    return opened


async def test_each_visit_has_a_token_for_its_institution(relay, tmp_path):
    relay(READY_RELAY)
    async with neighbourhood(tmp_path / "street") as around:
        visits = await around.handed_out(expires=60)
    assert len(visits) == 11
    for visit in visits:
        claims = jwt.decode(visit.token, options={"verify_signature": False})
        assert claims["org_code"] == visit.org_code
        assert claims["exp"] == claims["iat"] + 60
        assert f"{visit.industry}.list" in claims["scope"].split()


async def test_every_token_handed_out_has_a_consent_of_the_first_customer(relay, tmp_path, ledger_of_street):
    relay(READY_RELAY)
    async with neighbourhood(tmp_path / "street") as around:
        visits = await around.handed_out()
        async with ledger_of_street(around.street) as ledger:
            for visit in visits:
                claims = jwt.decode(visit.token, options={"verify_signature": False})
                record, consent = await ledger.consent_behind(claims["jti"])
                assert (record.state, consent.state) == (TokenState.LIVE, ConsentState.ACTIVE)
                assert (consent.provider, consent.ci) == (visit.org_code, ci_of(CUSTOMERS[0]))


async def test_who_is_handed_out_to_again_loses_the_former_tokens(relay, tmp_path, ledger_of_street):
    relay(READY_RELAY)
    async with neighbourhood(tmp_path / "street") as around:
        former, latter = await around.handed_out(), await around.handed_out()
        async with ledger_of_street(around.street) as ledger:
            number, revoked = await ledger.revoked_after(0)
    jtis = [
        [jwt.decode(visit.token, options={"verify_signature": False})["jti"] for visit in visits]
        for visits in (former, latter)
    ]
    assert (number, sorted(revoked)) == (11, sorted(jtis[0]))


async def test_a_ledger_elsewhere_is_brought_up_and_used(relay, tmp_path, postgresql):
    relay(READY_RELAY)
    url = postgresql.database()
    async with neighbourhood(tmp_path / "street", ledger=url) as around:
        await around.handed_out()
    assert postgresql.sql(url, "select count(*) from tokens where kind = 'access'").strip() == "11"
    assert list((tmp_path / "street").glob("ledger.db*")) == []


async def test_the_next_street_goes_on_with_a_ledger_elsewhere(relay, tmp_path, postgresql, ledger_of_street):
    relay(READY_RELAY)
    url = postgresql.database()
    for number in range(2):
        async with (
            neighbourhood(tmp_path / f"street{number}", ledger=url) as around,
            ledger_of_street(around.street) as ledger,
        ):
            await ledger.check()
            await around.handed_out()
    states = "select state, count(*) from consents group by state order by state"
    assert postgresql.sql(url, states).splitlines() == ["active|11", "replaced|11"]


async def test_a_ledger_of_somebody_else_is_not_touched(relay, tmp_path, postgresql):
    relay(READY_RELAY)
    url = postgresql.database()
    await upgrade(url, Sealer([CustomerKey("customers-2026", b"1" * 32)]))
    with pytest.raises(KeysUnfit, match="the ledger knows the customer key 'customers-2026'"):
        async with neighbourhood(tmp_path / "street", ledger=url):
            pass
    assert postgresql.sql(url, "select kid from key_marks") == "customers-2026\n"


async def test_a_relay_that_dies_is_told_with_the_end_of_its_log(relay, tmp_path):
    relay("import sys; print('port is taken'); sys.exit(3)")
    with pytest.raises(RelayDied, match=r"(?s)status 3; the end of .*relay.log:\n  port is taken"):
        async with neighbourhood(tmp_path / "street"):
            pass


async def test_a_relay_that_is_never_ready_is_told_and_stopped(relay, tmp_path, monkeypatch):
    relay("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    monkeypatch.setattr(room, "READY_S", 0.5)
    with pytest.raises(RelayDied, match="not ready within"):
        async with neighbourhood(tmp_path / "street"):
            pass
    assert gone(int((tmp_path / "street" / "relay.log").read_text()))


async def test_a_relay_that_does_not_heed_is_killed(relay, tmp_path, monkeypatch):
    relay("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY_RELAY)
    monkeypatch.setattr(room, "STOP_S", 0.1)
    async with neighbourhood(tmp_path / "street") as around:
        pass
    assert gone(around.pid)


async def test_an_error_inside_stops_the_relay_too(relay, tmp_path):
    relay(READY_RELAY)
    with pytest.raises(ZeroDivisionError):
        async with neighbourhood(tmp_path / "street") as around:
            raise ZeroDivisionError
    assert gone(around.pid)


async def test_settings_of_the_environment_do_not_reach_the_sandbox(relay, tmp_path, monkeypatch):
    relay("import os; print(sorted(name for name in os.environ if name.startswith('RELAY__')))")
    monkeypatch.setenv("RELAY__ADMIN__PORT", "1")
    with pytest.raises(RelayDied, match=r"\[\]"):
        async with neighbourhood(tmp_path / "street"):
            pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_puts_everything_away_and_says_so(number):
    put_away = []

    async def main():
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            put_away.append(True)

    with pytest.raises(SystemExit) as ended:
        run(main())
    assert ended.value.code == 128 + number
    assert put_away == [True]


def test_what_a_run_returns_is_returned():
    async def main():
        return 7

    assert run(main()) == 7
