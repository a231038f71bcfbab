"""A small folder of settings that is right, to be made wrong by each test; and a relay beside a portal that answers."""

import asyncio
import shutil
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from aiohttp.test_utils import TestServer
from click.testing import CliRunner

from relay.jobs import runner
from relay.jobs.runner import Runner
from relay.runtime.cli import main
from relay.runtime.processes import jobs as room
from relay.runtime.processes.jobs import JobsProcess
from relay.runtime.settings.loading import load
from relay.runtime.wiring.ledger import ledger_of, prepared
from relay.sandbox.registered import portal_of
from relay.sandbox.street import _server_context, build
from relay.standard.catalogue import load_catalogue

RELAY = """
relay: {org_code: ZZRELAY001, name: Relay}
gateway:
  listeners: [{port: 8443}]
  tls: {certificate: certs/relay.pem, private_key: "file:certs/relay.key", client_ca: certs/ca.pem}
tokens:
  issuer: ZZRELAY001
  keys: certs/token-keys
ledger:
  url: sqlite:ledger.db
  customer_keys: [{kid: one, key: "file:certs/customers.key"}]
"""

BANK = """
org_code: ZBAA000001
name: Bank
industry: bank
base_urls: ["https://bank.example"]
ca: ../certs/bank.pem
"""

DIRECTORY = """
operators:
  - org_code: ZOPA000001
    name: One
    serial_num: 123-45-67890
    addresses: [192.0.2.10]
    services: [{client_id: one1, name: One, callbacks: ["https://one.example/cb"]}]
  - org_code: ZOPB000001
    name: Two
    serial_num: 987-65-43210
    addresses: [192.0.2.20]
    services: [{client_id: two1, name: Two}]
"""

PORTAL = {
    "org_code": "ZPTL000001",
    "base_url": "https://portal.example",
    "serial_num": "999-81-00002",
    "addresses": ["192.0.2.9"],
    "calls": {"client_id": "relayatportal", "client_secret": "file:certs/portal.secret"},
    "offers": {"client_id": "portalatrelay", "client_secret_hash": f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"},
}


class Folder:
    """Settings on disk; `path` is relay.yaml."""

    def __init__(self, root: Path):
        self.root = root
        self.path = root / "relay.yaml"
        (root / "providers").mkdir()
        self.right()

    def right(self):
        """Everything as it should be again."""
        self.write("relay.yaml", RELAY)
        self.write("providers/bank.yaml", BANK)
        self.write("directory.yaml", DIRECTORY)

    def write(self, name, content):
        file = self.root / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def portal(self, **changes):
        """A portal comes into relay.yaml."""
        self.put("relay.yaml", "portal", PORTAL | changes)

    def put(self, name, key, value):
        """Set one dotted key (numbers are list indexes) of one file."""
        values = yaml.safe_load((self.root / name).read_text())
        at = values
        *way, last = [int(part) if part.isdigit() else part for part in key.split(".")]
        for part in way:
            at = at[part] if isinstance(part, int) else at.setdefault(part, {})
        at[last] = value
        self.write(name, yaml.safe_dump(values))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture(scope="session")
def beside_a_portal(tmp_path_factory):
    """A street with a portal, and its ledger, as nobody has used them yet: to be copied."""
    street = build(tmp_path_factory.mktemp("beside") / "street", datetime.now(UTC), portal=True)
    asyncio.run(prepared(load(street.settings, {}).settings.ledger))
    yield street
    street.close()


@pytest.fixture(scope="session")
def acquainted(beside_a_portal, tmp_path_factory):
    """The same after its relay took the registry."""

    async def sync(folder):
        async with open_for_business(beside_a_portal, folder) as premises:
            for how in ((), ("--full",)):  # neither is due at the start of a test then
                assert (await premises.relay("directory", "sync", *how)).exit_code == 0
            return premises.street

    return asyncio.run(sync(tmp_path_factory.mktemp("acquainted")))


class Premises:
    """Settings and ledger of a relay, and the portal it lives from, which answers in this process.

    Nothing of the relay runs, unless a test starts it.
    """

    def __init__(self, street, portal):
        self.street, self.portal = street, portal
        self.path = street.settings
        self.base_url = ""
        self.secrets = [one.client_secret for one in (*street.portal.accounts.values(), street.portal.offered)]
        self.secrets += [secret for operator in street.operators for secret in operator.client_secrets]

    @property
    def registry(self):
        """What the portal knows."""
        return self.portal.desk.registry

    def put(self, **sections):
        """Change sections of relay.yaml, key by key."""
        values = yaml.safe_load(self.path.read_text())
        for section, changes in sections.items():
            values.setdefault(section, {}).update(changes)
        self.path.write_text(yaml.safe_dump(values, allow_unicode=True))

    def redis(self, url):
        """Leadership goes by the Redis at this URL, which stands in a file."""
        (self.path.parent / "redis").write_text(url)
        self.put(jobs={"redis": "file:redis"})

    def without_portal(self):
        """There is no portal in the settings any more, but a directory of nobody."""
        values = yaml.safe_load(self.path.read_text())
        del values["portal"]
        self.path.write_text(yaml.safe_dump(values, allow_unicode=True))
        (self.path.parent / "directory.yaml").write_text("operators: []")

    async def relay(self, *args, typed=None):
        """What a command of the relay answers. It prints no secret, whatever it prints."""
        answer = await asyncio.to_thread(CliRunner().invoke, main, [*args, "-c", str(self.path)], input=typed)
        assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
        assert not [secret for secret in self.secrets if secret in answer.output]
        assert "$scrypt$" not in answer.output
        return answer


@asynccontextmanager
async def open_for_business(former, tmp_path):
    """A copy of a street in another folder, and its portal."""
    folder = shutil.copytree(former.folder, tmp_path / "street")
    street = replace(former, folder=folder, settings=folder / "relay.yaml")
    portal = portal_of(street, street.portal, load_catalogue())
    server = TestServer(portal.application(), scheme="https")
    await server.start_server(ssl=_server_context(street.portal.identity, street.certificates.ca))
    premises = Premises(street, portal)
    timeouts = {"connect_s": 2, "total_s": 5, "attempts": 2, "backoff_s": 0.01}
    premises.base_url = str(server.make_url("")).rstrip("/")
    portal = {"base_url": premises.base_url, "timeouts": timeouts, "sync_s": 3600}  # nothing is due by itself
    premises.put(portal=portal)
    try:
        yield premises
    finally:
        await server.close()


@pytest.fixture
async def premises(acquainted, tmp_path):
    """A relay that took its portal's registry before."""
    async with open_for_business(acquainted, tmp_path) as premises:
        yield premises


@pytest.fixture
async def new_premises(beside_a_portal, tmp_path):
    """A relay that never heard of its portal."""
    async with open_for_business(beside_a_portal, tmp_path) as premises:
        yield premises


@pytest.fixture
def spoilt(beside_a_portal, tmp_path):
    """Settings that can be spoilt; nobody answers around them."""

    def made(*, ledger="sqlite:ledger.db", text=None):
        folder = shutil.copytree(beside_a_portal.folder, tmp_path / "street")
        file = folder / "relay.yaml"
        file.write_text(text or file.read_text().replace("sqlite:ledger.db", ledger))
        return file

    return made


@pytest.fixture
async def ledger(premises):
    """The ledger of these premises."""
    opened = ledger_of(load(premises.path, {}).settings.ledger)
    yield opened
    await opened.close()


class Working:
    """A jobs process that runs in this one. `leads` tells whether it leads now, `fence` the last that it led under."""

    def __init__(self, process):
        self.process = process
        self.ran = self.runner = None
        self.fence = 0

    @property
    def leads(self):
        term = None if self.runner is None else self.runner.term
        self.fence = term.fence if term else self.fence
        return term is not None

    async def until(self, reached):
        """Wait until something is so that nobody tells."""
        async with asyncio.timeout(20):
            while not reached():
                assert not self.ran.done(), await self.ran
                await asyncio.sleep(0.01)


@pytest.fixture
def jobs_process(premises, monkeypatch):
    """Starts jobs processes on the premises' settings; they lead, or may wait, when the block begins.

    They look more often than others do, unless `tick_s` is said.
    """

    def watched(working):
        def made(*args):
            working.runner = Runner(*args)
            return working.runner

        return made

    @asynccontextmanager
    async def started(*, term_s=0, leads=True, tick_s=0.05):
        process = JobsProcess(premises.path)
        if term_s:  # shorter than settings may say
            settings = process._loaded.settings
            jobs = settings.jobs.model_copy(update={"term_s": term_s})
            process._loaded = replace(process._loaded, settings=settings.model_copy(update={"jobs": jobs}))
        working = Working(process)
        monkeypatch.setattr(room, "Runner", watched(working))
        monkeypatch.setattr(runner, "TICK_S", tick_s)
        working.ran = asyncio.create_task(process.run())
        try:
            await working.until(lambda: working.runner is not None and (working.leads or not leads))
            yield working
        finally:
            process.stop()
            await working.ran

    return started
