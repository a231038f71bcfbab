"""Fixtures: a small folder of valid settings for each test to change, and a deployment with a portal."""

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
from mydata_sandbox.environment.build import build
from mydata_sandbox.environment.portal_registration import build_portal
from mydata_sandbox.environment.serving import build_server_context
from mydata_sandbox.parties import MEDIATED

from relay.jobs import runner
from relay.jobs.runner import Runner
from relay.runtime.cli import main
from relay.runtime.commands.migrate import prepare_ledger
from relay.runtime.processes import jobs as module
from relay.runtime.processes.jobs import JobsProcess
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger
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
        self.reset()

    def reset(self):
        """Writes the valid settings again."""
        self.write("relay.yaml", RELAY)
        self.write("providers/bank.yaml", BANK)
        self.write("directory.yaml", DIRECTORY)

    def write(self, name, content):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def portal(self, **changes):
        """Adds a portal to relay.yaml."""
        self.put("relay.yaml", "portal", PORTAL | changes)

    def put(self, name, key, value):
        """Sets a dotted key (numbers are list indexes) of a file."""
        values = yaml.safe_load((self.root / name).read_text())
        node = values
        *parents, last = [int(part) if part.isdigit() else part for part in key.split(".")]
        for part in parents:
            node = node[part] if isinstance(part, int) else node.setdefault(part, {})
        node[last] = value
        self.write(name, yaml.safe_dump(values))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture(scope="session")
def environment_with_portal(tmp_path_factory):
    """An unused environment with a portal and a ledger, to be copied."""
    environment = build(tmp_path_factory.mktemp("portal") / "sandbox", datetime.now(UTC), portal=True)
    asyncio.run(prepare_ledger(load_settings(environment.settings, {}).settings.ledger))
    yield environment
    environment.close()


@pytest.fixture(scope="session")
def synced_environment(environment_with_portal, tmp_path_factory):
    """The same environment after its relay synced the registry."""

    async def sync(folder):
        async with deploy_copy(environment_with_portal, folder) as deployment:
            for flags in ((), ("--full",)):  # so that neither job is due at the start of a test
                assert (await deployment.relay("directory", "sync", *flags)).exit_code == 0
            return deployment.environment

    return asyncio.run(sync(tmp_path_factory.mktemp("synced")))


class Deployment:
    """Settings and ledger of a relay, and its portal, which serves in this process.

    No process of the relay runs unless a test starts it.
    """

    def __init__(self, environment, portal):
        self.environment, self.portal = environment, portal
        self.path = environment.settings
        self.base_url = ""
        self.secrets = [
            account.client_secret for account in (*environment.portal.accounts.values(), environment.portal.offered)
        ]
        self.secrets += [secret for operator in environment.operators for secret in operator.client_secrets]

    @property
    def registry(self):
        """The portal's registry."""
        return self.portal.service.registry

    def put(self, **sections):
        """Changes sections of relay.yaml, key by key."""
        values = yaml.safe_load(self.path.read_text())
        for section, changes in sections.items():
            values.setdefault(section, {}).update(changes)
        self.path.write_text(yaml.safe_dump(values, allow_unicode=True))

    def redis(self, url):
        """Uses the Redis at this URL for leadership, through a file."""
        (self.path.parent / "redis").write_text(url)
        self.put(jobs={"redis": "file:redis"})

    def without_portal(self):
        """Replaces the portal by an empty directory."""
        values = yaml.safe_load(self.path.read_text())
        del values["portal"]
        self.path.write_text(yaml.safe_dump(values, allow_unicode=True))
        (self.path.parent / "directory.yaml").write_text("operators: []")

    async def relay(self, *args, typed=None):
        """Returns the result of a command; checks that it prints no secret."""
        answer = await asyncio.to_thread(CliRunner().invoke, main, [*args, "-c", str(self.path)], input=typed)
        assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
        assert not [secret for secret in self.secrets if secret in answer.output]
        assert "$scrypt$" not in answer.output
        return answer


@asynccontextmanager
async def deploy_copy(former, tmp_path):
    """Copies an environment into another folder and starts its portal."""
    folder = shutil.copytree(former.folder, tmp_path / "sandbox")
    environment = replace(former, folder=folder, settings=folder / "relay.yaml")
    portal = build_portal(environment, environment.portal, load_catalogue())
    server = TestServer(portal.application(), scheme="https")
    await server.start_server(ssl=build_server_context(environment.portal.identity, environment.certificates.ca))
    deployment = Deployment(environment, portal)
    timeouts = {"connect_s": 2, "total_s": 5, "attempts": 2, "backoff_s": 0.01}
    deployment.base_url = str(server.make_url("")).rstrip("/")
    portal = {"base_url": deployment.base_url, "timeouts": timeouts, "sync_s": 3600}  # no job is due
    deployment.put(portal=portal)
    try:
        yield deployment
    finally:
        await server.close()


@pytest.fixture
async def deployment(synced_environment, tmp_path):
    """A relay that has synced its portal's registry."""
    async with deploy_copy(synced_environment, tmp_path) as deployment:
        yield deployment


@pytest.fixture
async def new_deployment(environment_with_portal, tmp_path):
    """A relay that has never synced."""
    async with deploy_copy(environment_with_portal, tmp_path) as deployment:
        yield deployment


@pytest.fixture
def broken_settings(environment_with_portal, tmp_path):
    """Makes settings for a test to break; no other party runs."""

    def make(*, ledger="sqlite:ledger.db", text=None):
        folder = shutil.copytree(environment_with_portal.folder, tmp_path / "sandbox")
        file = folder / "relay.yaml"
        file.write_text(text or file.read_text().replace("sqlite:ledger.db", ledger))
        return file

    return make


@pytest.fixture
async def ledger(deployment):
    """The ledger of the deployment."""
    ledger = build_ledger(load_settings(deployment.path, {}).settings.ledger)
    yield ledger
    await ledger.close()


class RunningJobs:
    """A JobsProcess that runs in this process. `leads` is True while it leads, `fence` is its last fence."""

    def __init__(self, process):
        self.process = process
        self.task = self.runner = None
        self.fence = 0

    @property
    def leads(self):
        term = None if self.runner is None else self.runner.term
        self.fence = term.fence if term else self.fence
        return term is not None

    async def until(self, is_reached):
        """Polls a condition that has no event."""
        async with asyncio.timeout(20):
            while not is_reached():
                assert not self.task.done(), await self.task
                await asyncio.sleep(0.01)


@pytest.fixture
def jobs_process(deployment, monkeypatch):
    """Starts jobs processes on the settings of the deployment; each leads when the block begins, unless `leads=False`.

    They tick more often than in production unless `tick_s` is given.
    """

    def observe(jobs):
        def build(*args):
            jobs.runner = Runner(*args)
            return jobs.runner

        return build

    @asynccontextmanager
    async def start(*, term_s=0, leads=True, tick_s=0.05):
        process = JobsProcess(deployment.path)
        if term_s:  # shorter than settings may say
            reloader, settings = process.reloader, process.reloader.loaded.settings
            section = settings.jobs.model_copy(update={"term_s": term_s})
            reloader.loaded = replace(reloader.loaded, settings=settings.model_copy(update={"jobs": section}))
        jobs = RunningJobs(process)
        monkeypatch.setattr(module, "Runner", observe(jobs))
        monkeypatch.setattr(runner, "TICK_S", tick_s)
        jobs.task = asyncio.create_task(process.run())
        try:
            await jobs.until(lambda: jobs.runner is not None and (jobs.leads or not leads))
            yield jobs
        finally:
            process.stop()
            await jobs.task

    return start


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A complete environment without mediated institutions, so without an adapter. No test changes its files."""
    built = build(tmp_path_factory.mktemp("built"), datetime.now(UTC))
    built.close()
    for name in MEDIATED:
        (built.folder / "providers" / f"{name}.yaml").unlink()
    standard = {name: institution for name, institution in built.institutions.items() if name not in MEDIATED}
    return replace(built, institutions=standard)


@pytest.fixture
def environment(built, tmp_path):
    """A copy of the environment for each test to break."""
    folder = shutil.copytree(built.folder, tmp_path / "sandbox")
    return replace(built, folder=folder, settings=folder / "relay.yaml")
