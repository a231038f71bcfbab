"""The authority as a process: its socket, its pages, its settings taken anew, its end."""

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

from relay.domain.authorization.consent import ConsentState
from relay.infra.ledger.believed_time import BelievedTime
from relay.infra.ledger.schema import SchemaProblem
from relay.infra.tokens.revocation_feed import follow_authority
from relay.infra.upstream.tls import TlsError
from relay.runtime.cli import main
from relay.runtime.processes import authority as authority_process
from relay.runtime.processes.authority import AuthorityProcess
from relay.runtime.settings.loading import ConfigProblems, load
from relay.runtime.wiring.ledger import ledger_of
from relay.runtime.wiring.seed_tokens import Handout, consent_for, hand_out
from relay.sandbox.street import build

CLAIMS = {"jti": "a", "org_code": "ZBAA000001", "aud": "ZOPA000001", "client_id": "ZOPA000001SVC01"}
HEADERS = {"x-api-tran-id": "ZOPA000001M00000000000001", "x-relay-operators": "ZOPA000001"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    built = build(tmp_path_factory.mktemp("built"), datetime.now(UTC))
    built.close()
    assert CliRunner().invoke(main, ["migrate", "-c", str(built.settings)]).exit_code == 0
    return built


class Around:
    """A street's folder to be spoilt, and the socket that is named in it."""

    def __init__(self, street, log):
        self.street, self.socket, self.log = street, street.folder / "a.sock", log
        log.set_level("INFO")
        self.put("relay.yaml", "authority", socket="a.sock")

    def put(self, name, section, **values):
        file = self.street.folder / name
        found = yaml.safe_load(file.read_text())
        (found.setdefault(section, {}) if section else found).update(values)
        file.write_text(yaml.safe_dump(found, allow_unicode=True))

    @asynccontextmanager
    async def serving(self):
        """The process while it answers."""
        process = AuthorityProcess(self.street.settings)
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
        """A call of the token endpoint: status and JSON."""
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.socket))) as session:
            url = "http://authority/oauth/2.0/token"
            async with session.post(url, data=form, headers=HEADERS | headers) as answer:
                return answer.status, await answer.json()


@pytest.fixture
def around(built, tmp_path, caplog):
    folder = shutil.copytree(built.folder, tmp_path / "s")
    return Around(replace(built, folder=folder, settings=folder / "relay.yaml"), caplog)


async def until(reached):
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110 - it is told to nobody
            await asyncio.sleep(0.005)


async def test_it_answers_on_a_socket_of_our_own_and_takes_it_along(around):
    async with around.serving():
        assert around.socket.stat().st_mode & 0o777 == 0o600
        status, told = await around.ask({"grant_type": "refresh_token"})
        assert (status, told["error"]) == (400, "invalid_request")
    assert not around.socket.exists()


async def test_the_sockets_mask_is_not_the_processes(around):
    former = os.umask(0o022)
    try:
        async with around.serving():
            file = around.street.folder / "other"
            file.touch()
            assert file.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(former)


async def test_a_socket_left_over_is_replaced(around):
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(around.socket))
    async with around.serving():
        assert (await around.ask({}))[0] == 400


async def test_its_pages_speak_tls_to_anybody(around):
    context = ssl.create_default_context(cafile=around.street.certificates.ca)
    async with around.serving() as process, aiohttp.ClientSession() as session:
        assert process.pages_port == around.street.pages_port
        url = f"https://127.0.0.1:{process.pages_port}/nowhere"
        async with session.get(url, ssl=context) as answer:
            assert (answer.status, answer.content_type) == (404, "text/html")


async def test_to_what_is_no_http_both_its_doors_answer_in_our_words(around):
    context = ssl.create_default_context(cafile=around.street.certificates.ca)
    async with around.serving() as process, asyncio.timeout(20):
        doors = {
            b"application/json": await asyncio.open_unix_connection(str(around.socket)),
            b"text/html": await asyncio.open_connection("127.0.0.1", process.pages_port, ssl=context),
        }
        for of_type, (reader, writer) in doors.items():
            writer.write(b"Tell-Me-Again\r\n\r\n")
            answer = await reader.read()
            assert b" 400 " in answer
            assert of_type in answer
            assert b"Server: relay\r\n" in answer
            assert b"Again" not in answer
            writer.close()


async def test_without_pages_nobody_listens_for_them(around):
    file = around.street.settings
    values = yaml.safe_load(file.read_text())
    del values["authority"]["pages"]
    file.write_text(yaml.safe_dump(values, allow_unicode=True))
    for provider in (around.street.folder / "providers").iterdir():
        around.put(f"providers/{provider.name}", "", authentication="none")
    async with around.serving() as process:
        assert process.pages_port == 0
        with socket.socket() as door:
            assert door.connect_ex(("127.0.0.1", around.street.pages_port)) != 0


@pytest.mark.parametrize(
    ("name", "section", "spoilt", "right"),
    [
        ("providers/bank.yaml", "", {"industry": "bakery"}, {"industry": "bank"}),
        ("relay.yaml", "tokens", {"keys": "certs"}, {"keys": "certs/token-keys"}),
    ],
)
async def test_settings_that_cannot_be_used_leave_the_last_good_ones(around, caplog, name, section, spoilt, right):
    async with around.serving() as process:
        loaded = process._loaded
        around.put(name, section, **spoilt)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "settings not taken by the authority" in caplog.text)
        assert process._loaded is loaded
        assert (await around.ask({}))[1]["error"] == "invalid_request"
        around.put(name, section, **right)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "authority took plan" in caplog.text)
        assert process._loaded is not loaded


async def test_files_that_change_are_taken_without_being_told(around, caplog):
    around.put("relay.yaml", "reload", watch_s=0.01)
    async with around.serving() as process:
        generation = process._loaded.generation
        around.put("relay.yaml", "tokens", leeway_s=7)
        await until(lambda: "authority took plan" in caplog.text)
        assert process._loaded.generation != generation


async def test_a_file_that_was_missing_is_news_when_it_comes(around, caplog):
    around.put("relay.yaml", "reload", watch_s=0.01)
    keys = around.street.folder / "certs" / "token-keys"
    async with around.serving():
        around.put("relay.yaml", "tokens", keys="certs/later")
        await until(lambda: "settings not taken by the authority" in caplog.text)
        shutil.copytree(keys, keys.with_name("later"))
        await until(lambda: "authority took plan" in caplog.text)


async def test_a_key_of_another_certificate_is_refused_as_by_the_gateway(around, caplog):
    around.put("relay.yaml", "reload", watch_s=0.01)
    async with around.serving() as process:
        generation = process._loaded.generation
        bank = around.street.folder / "providers" / "bank.yaml"
        other = next((around.street.folder / "certs").glob("*operator*.key.pem"))
        text = bank.read_text("utf-8").replace("relay.key.pem", other.name)
        bank.write_text(text, "utf-8")
        await until(lambda: "settings not taken by the authority" in caplog.text)
        assert "relay.pem with its private key" in caplog.text
        assert process._loaded.generation == generation


async def test_a_key_of_another_certificate_ends_the_start(around):
    other = next((around.street.folder / "certs").glob("*operator*.key.pem"))
    around.put("providers/bank.yaml", "", private_key=f"file:../certs/{other.name}")
    with pytest.raises(TlsError, match=r"relay\.pem with its private key"):
        await AuthorityProcess(around.street.settings).run()


async def test_a_fifo_among_the_files_stops_no_call(around, caplog):
    async with around.serving():
        key = around.street.folder / "certs" / "relay.key.pem"
        key.unlink()
        os.mkfifo(key)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "settings not taken by the authority" in caplog.text)
        assert "it is no regular file" in caplog.text
        assert (await around.ask({}))[1]["error"] == "invalid_request"


async def test_an_expired_certificate_is_refused_at_a_reload(around, caplog, monkeypatch):
    async with around.serving() as process:
        monkeypatch.setattr(
            authority_process, "datetime", type("Later", (), {"now": lambda _: datetime.max.replace(tzinfo=UTC)})
        )
        fresh = around.street.folder / "certs" / "fresh.pem"
        fresh.write_bytes((around.street.folder / "certs" / "relay.pem").read_bytes())
        generation = process._loaded.generation
        around.put("providers/bank.yaml", "", certificate="../certs/fresh.pem")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "settings not taken by the authority" in caplog.text)
        assert f"{fresh}: the certificate expired " in caplog.text
        assert process._loaded.generation == generation


async def test_a_consent_past_its_last_day_is_ended(around):
    settings = load(around.street.settings, {}).settings
    ledger = ledger_of(settings.ledger)
    now = datetime.now(UTC)
    handout = Handout(CLAIMS | {"scope": "bank.list", "exp": 2_000_000_000}, "the-ci")
    consent = consent_for(handout, now)
    over = replace(consent, particulars=replace(consent.particulars, end_date=date(2024, 1, 1)))
    await hand_out(ledger, [(handout, over)], now)
    try:
        async with around.serving(), asyncio.timeout(20):
            while (await ledger.consent_behind("a"))[1].state is not ConsentState.ENDED:
                pass
    finally:
        await ledger.close()


async def test_gateways_hear_at_once_of_a_consent_given_at_the_pages(around, monkeypatch):
    """What the pages do, done with the ledger of their process: a new consent revokes the tokens of the former."""
    opened = []
    monkeypatch.setattr(
        authority_process, "ledger_of", lambda told, **how: opened.append(ledger_of(told, **how)) or opened[0]
    )
    async with around.serving():
        signs = asyncio.Queue()
        following = asyncio.ensure_future(follow_authority(around.socket, lambda: signs.put_nowait(None)))
        await signs.get()  # the head of the answer: it listens
        now = datetime.now(UTC)
        for jti in "ab":
            handout = Handout(CLAIMS | {"jti": jti, "scope": "bank.list", "exp": 2_000_000_000}, "the-ci")
            await hand_out(opened[0], [(handout, consent_for(handout, now))], now)
        async with asyncio.timeout(10):
            await signs.get()
    following.cancel()
    assert isinstance((await asyncio.gather(following, return_exceptions=True))[0], asyncio.CancelledError)


async def test_a_ledger_that_is_away_is_logged_once_without_any_call(around, caplog, monkeypatch):
    monkeypatch.setattr(authority_process, "_SWEEP_S", 0.01)
    sweeps, believed = [], BelievedTime.believed

    async def counted(clock, now):
        sweeps.append(now)
        return await believed(clock, now)

    monkeypatch.setattr(BelievedTime, "believed", counted)
    async with around.serving():
        (around.street.folder / "ledger.db").rename(around.street.folder / "away.db")
        await until(lambda: "ledger unavailable: " in caplog.text)
        seen = len(sweeps)
        await until(lambda: len(sweeps) > seen + 3)
        assert sum(record.levelname == "WARNING" for record in caplog.records) == 1
        (around.street.folder / "away.db").rename(around.street.folder / "ledger.db")
        await until(lambda: "ledger available again: " in caplog.text)


async def test_an_empty_ledger_is_refused_with_what_to_do(around):
    (around.street.folder / "ledger.db").unlink()
    with pytest.raises(SchemaProblem, match="relay migrate"):
        await AuthorityProcess(around.street.settings).run()
    assert not around.socket.exists()


async def test_settings_with_problems_make_no_process(around):
    around.street.settings.write_text("relay: {}")
    with pytest.raises(ConfigProblems):
        AuthorityProcess(around.street.settings)


@pytest.mark.parametrize("taken", ["pages", "socket"])
async def test_what_cannot_be_listened_on_is_told_and_leaves_nothing_open(around, taken):
    with socket.create_server(("127.0.0.1", around.street.pages_port if taken == "pages" else 0)):
        if taken == "socket":
            around.put("relay.yaml", "authority", socket="nowhere/a.sock")
        with pytest.raises(OSError, match=r"cannot listen|No such file"):
            await AuthorityProcess(around.street.settings).run()
    assert not around.socket.exists()
