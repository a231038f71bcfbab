"""Tests of the authority process: socket, pages, reloads, stop."""

import asyncio
import os
import shutil
import signal
import socket
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime

import aiohttp
import pytest
import yaml
from click.testing import CliRunner
from harness.seed_tokens import SeedToken, build_consent, record_seed_tokens

from relay.domain.authorization.consent import ConsentState
from relay.infra.ledger.schema import SchemaError
from relay.infra.ledger.trusted_clock import TrustedClock
from relay.infra.tokens.revocation_feed import follow_revocations
from relay.infra.upstream.tls import TlsError
from relay.runtime.cli import main
from relay.runtime.processes import authority as authority_process
from relay.runtime.processes import reload as reload_module
from relay.runtime.processes.authority import AuthorityProcess
from relay.runtime.settings.loading import SettingsError, load_settings
from relay.runtime.wiring.ledger import build_ledger

CLAIMS = {"jti": "a", "org_code": "ZBAA000001", "aud": "ZOPA000001", "client_id": "ZOPA000001SVC01"}
HEADERS = {"x-api-tran-id": "ZOPA000001M00000000000001", "x-relay-operators": "ZOPA000001"}


@pytest.fixture(scope="module")
def built(built):
    """An environment whose ledger is prepared."""
    assert CliRunner().invoke(main, ["migrate", "-c", str(built.settings)]).exit_code == 0
    return built


class AuthorityFolder:
    """Settings of an environment for a test to change, and the socket in them."""

    def __init__(self, environment, log):
        self.environment, self.socket, self.log = environment, environment.folder / "a.sock", log
        log.set_level("INFO")
        self.put("relay.yaml", "authority", socket="a.sock")

    def put(self, name, section, **values):
        file = self.environment.folder / name
        content = yaml.safe_load(file.read_text())
        (content.setdefault(section, {}) if section else content).update(values)
        file.write_text(yaml.safe_dump(content, allow_unicode=True))

    @asynccontextmanager
    async def serving(self):
        """Runs the process while it serves."""
        process = AuthorityProcess(self.environment.settings)
        running = asyncio.ensure_future(process.run())
        try:
            async with asyncio.timeout(20):
                while "authority ready" not in self.log.text:
                    assert not running.done(), await running
                    await asyncio.sleep(0.005)
            yield process
        finally:
            process.stop()
            await running

    async def ask(self, form, **headers):
        """Calls the token endpoint; returns status and JSON."""
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.socket))) as session:
            url = "http://authority/oauth/2.0/token"
            async with session.post(url, data=form, headers=HEADERS | headers) as answer:
                return answer.status, await answer.json()


@pytest.fixture
def authority(built, tmp_path, caplog):
    folder = shutil.copytree(built.folder, tmp_path / "s")
    return AuthorityFolder(replace(built, folder=folder, settings=folder / "relay.yaml"), caplog)


async def until(is_reached):
    async with asyncio.timeout(20):
        while not is_reached():  # noqa: ASYNC110 - no event is set
            await asyncio.sleep(0.005)


async def test_it_serves_on_its_socket_and_removes_it(authority):
    async with authority.serving():
        assert authority.socket.stat().st_mode & 0o777 == 0o600
        status, body = await authority.ask({"grant_type": "refresh_token"})
        assert (status, body["error"]) == (400, "invalid_request")
    assert not authority.socket.exists()


async def test_the_umask_of_the_process_is_unchanged(authority):
    former = os.umask(0o022)
    try:
        async with authority.serving():
            file = authority.environment.folder / "other"
            file.touch()
            assert file.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(former)


async def test_a_stale_socket_is_replaced(authority):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(authority.socket))
    async with authority.serving():
        assert (await authority.ask({}))[0] == 400


async def test_pages_are_served_over_tls_without_client_certificate(authority):
    context = ssl.create_default_context(cafile=authority.environment.certificates.ca)
    async with authority.serving() as process, aiohttp.ClientSession() as session:
        assert process.pages_port == authority.environment.pages_port
        url = f"https://127.0.0.1:{process.pages_port}/nowhere"
        async with session.get(url, ssl=context) as answer:
            assert (answer.status, answer.content_type) == (404, "text/html")


async def test_both_listeners_answer_malformed_http(authority):
    context = ssl.create_default_context(cafile=authority.environment.certificates.ca)
    async with authority.serving() as process, asyncio.timeout(20):
        connections = {
            b"application/json": await asyncio.open_unix_connection(str(authority.socket)),
            b"text/html": await asyncio.open_connection("127.0.0.1", process.pages_port, ssl=context),
        }
        for content_type, (reader, writer) in connections.items():
            writer.write(b"Tell-Me-Again\r\n\r\n")
            answer = await reader.read()
            assert b" 400 " in answer
            assert content_type in answer
            assert b"Server: relay\r\n" in answer
            assert b"Again" not in answer
            writer.close()


async def test_without_pages_their_port_is_closed(authority):
    file = authority.environment.settings
    values = yaml.safe_load(file.read_text())
    del values["authority"]["pages"]
    file.write_text(yaml.safe_dump(values, allow_unicode=True))
    for provider in (authority.environment.folder / "providers").glob("*.yaml"):
        authority.put(f"providers/{provider.name}", "", authentication="none")
    async with authority.serving() as process:
        assert process.pages_port == 0
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", authority.environment.pages_port)) != 0


@pytest.mark.parametrize(
    ("name", "section", "wrong", "right"),
    [
        ("providers/bank.yaml", "", {"industry": "bakery"}, {"industry": "bank"}),
        ("relay.yaml", "tokens", {"keys": "certs"}, {"keys": "certs/token-keys"}),
    ],
)
async def test_settings_that_cannot_be_used_leave_the_last_good_ones(authority, caplog, name, section, wrong, right):
    async with authority.serving() as process:
        loaded = process.reloader.loaded
        authority.put(name, section, **wrong)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "settings rejected, plan stays: role=authority" in caplog.text)
        assert process.reloader.loaded is loaded
        assert (await authority.ask({}))[1]["error"] == "invalid_request"
        authority.put(name, section, **right)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "settings applied: role=authority" in caplog.text)
        assert process.reloader.loaded is not loaded


async def test_changed_files_are_reloaded_without_a_signal(authority, caplog):
    authority.put("relay.yaml", "reload", watch_s=0.01)
    async with authority.serving() as process:
        fingerprint = process.reloader.loaded.fingerprint
        authority.put("relay.yaml", "tokens", leeway_s=7)
        await until(lambda: "settings applied: role=authority" in caplog.text)
        assert process.reloader.loaded.fingerprint != fingerprint


async def test_a_missing_file_triggers_a_reload_when_it_appears(authority, caplog):
    authority.put("relay.yaml", "reload", watch_s=0.01)
    keys = authority.environment.folder / "certs" / "token-keys"
    async with authority.serving():
        authority.put("relay.yaml", "tokens", keys="certs/later")
        await until(lambda: "settings rejected, plan stays: role=authority" in caplog.text)
        shutil.copytree(keys, keys.with_name("later"))
        await until(lambda: "settings applied: role=authority" in caplog.text)


async def test_a_key_of_another_certificate_is_refused_as_by_the_gateway(authority, caplog):
    authority.put("relay.yaml", "reload", watch_s=0.01)
    async with authority.serving() as process:
        fingerprint = process.reloader.loaded.fingerprint
        bank = authority.environment.folder / "providers" / "bank.yaml"
        other = next((authority.environment.folder / "certs").glob("*operator*.key.pem"))
        text = bank.read_text("utf-8").replace("relay.key.pem", other.name)
        bank.write_text(text, "utf-8")
        await until(lambda: "settings rejected, plan stays: role=authority" in caplog.text)
        assert "relay.pem with its private key" in caplog.text
        assert process.reloader.loaded.fingerprint == fingerprint


async def test_a_key_of_another_certificate_ends_the_start(authority):
    other = next((authority.environment.folder / "certs").glob("*operator*.key.pem"))
    authority.put("providers/bank.yaml", "", private_key=f"file:../certs/{other.name}")
    with pytest.raises(TlsError, match=r"relay\.pem with its private key"):
        await AuthorityProcess(authority.environment.settings).run()


async def test_a_fifo_among_the_files_stops_no_call(authority, caplog):
    async with authority.serving():
        key = authority.environment.folder / "certs" / "relay.key.pem"
        key.unlink()
        os.mkfifo(key)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "settings rejected, plan stays: role=authority" in caplog.text)
        assert "not a regular file" in caplog.text
        assert (await authority.ask({}))[1]["error"] == "invalid_request"


async def test_an_expired_certificate_is_refused_at_a_reload(authority, caplog, monkeypatch):
    async with authority.serving() as process:
        monkeypatch.setattr(
            reload_module, "datetime", type("Later", (), {"now": lambda _: datetime.max.replace(tzinfo=UTC)})
        )
        fresh = authority.environment.folder / "certs" / "fresh.pem"
        fresh.write_bytes((authority.environment.folder / "certs" / "relay.pem").read_bytes())
        fingerprint = process.reloader.loaded.fingerprint
        authority.put("providers/bank.yaml", "", certificate="../certs/fresh.pem")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "settings rejected, plan stays: role=authority" in caplog.text)
        assert f"{fresh}: the certificate expired " in caplog.text
        assert process.reloader.loaded.fingerprint == fingerprint


async def test_a_consent_is_ended_after_its_last_day(authority):
    settings = load_settings(authority.environment.settings, {}).settings
    ledger = build_ledger(settings.ledger)
    now = datetime.now(UTC)
    seed = SeedToken(CLAIMS | {"scope": "bank.list", "exp": 2_000_000_000}, "the-ci")
    consent = build_consent(seed, now)
    ended = replace(consent, particulars=replace(consent.particulars, end_date=date(2024, 1, 1)))
    await record_seed_tokens(ledger, [(seed, ended)], now)
    try:
        async with authority.serving(), asyncio.timeout(20):
            while (await ledger.find_token_and_consent("a"))[1].state is not ConsentState.ENDED:
                pass
    finally:
        await ledger.close()


async def test_gateways_learn_at_once_of_a_consent_given_at_the_pages(authority, monkeypatch):
    """A new consent in the process's ledger, as the pages write it, revokes the tokens of the former."""
    ledgers = []
    monkeypatch.setattr(
        authority_process,
        "build_ledger",
        lambda *args, **options: ledgers.append(build_ledger(*args, **options)) or ledgers[0],
    )
    async with authority.serving():
        notices = asyncio.Queue()
        following = asyncio.ensure_future(follow_revocations(authority.socket, lambda: notices.put_nowait(None)))
        await notices.get()  # the head of the response: the feed is open
        now = datetime.now(UTC)
        for jti in "ab":
            seed = SeedToken(CLAIMS | {"jti": jti, "scope": "bank.list", "exp": 2_000_000_000}, "the-ci")
            await record_seed_tokens(ledgers[0], [(seed, build_consent(seed, now))], now)
        async with asyncio.timeout(10):
            await notices.get()
    following.cancel()
    assert isinstance((await asyncio.gather(following, return_exceptions=True))[0], asyncio.CancelledError)


async def test_a_ledger_outage_is_logged_once_without_any_call(authority, caplog, monkeypatch):
    monkeypatch.setattr(authority_process, "SWEEP_S", 0.01)
    sweeps, believed = [], TrustedClock.get_trusted_time

    async def count(clock, now):
        sweeps.append(now)
        return await believed(clock, now)

    monkeypatch.setattr(TrustedClock, "get_trusted_time", count)
    async with authority.serving():
        (authority.environment.folder / "ledger.db").rename(authority.environment.folder / "away.db")
        await until(lambda: "ledger unavailable: " in caplog.text)
        before = len(sweeps)
        await until(lambda: len(sweeps) > before + 3)
        assert sum(record.levelname == "WARNING" for record in caplog.records) == 1
        (authority.environment.folder / "away.db").rename(authority.environment.folder / "ledger.db")
        await until(lambda: "ledger available again: " in caplog.text)


async def test_an_empty_ledger_is_refused_with_a_remedy(authority):
    (authority.environment.folder / "ledger.db").unlink()
    with pytest.raises(SchemaError, match="relay migrate"):
        await AuthorityProcess(authority.environment.settings).run()
    assert not authority.socket.exists()


async def test_invalid_settings_start_no_process(authority):
    authority.environment.settings.write_text("relay: {}")
    with pytest.raises(SettingsError):
        AuthorityProcess(authority.environment.settings)


@pytest.mark.parametrize("taken", ["pages", "socket"])
async def test_an_unavailable_address_raises_and_leaves_nothing_open(authority, taken):
    with socket.create_server(("127.0.0.1", authority.environment.pages_port if taken == "pages" else 0)):
        if taken == "socket":
            authority.put("relay.yaml", "authority", socket="nowhere/a.sock")
        with pytest.raises(OSError, match=r"cannot listen|No such file"):
            await AuthorityProcess(authority.environment.settings).run()
    assert not authority.socket.exists()
