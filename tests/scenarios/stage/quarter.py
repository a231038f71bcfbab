"""A street whose relay lives from a portal, all of it in this process: each of them comes and goes by itself."""

import asyncio
import json
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import yaml
from aiohttp import web
from click.testing import CliRunner

from relay.domain.jobs import JobState
from relay.jobs.runner import JobFailed, Runner
from relay.runtime.cli import main
from relay.runtime.processes.authority import AuthorityProcess
from relay.runtime.processes.gateway import GatewayProcess
from relay.runtime.processes.jobs import JobsProcess
from relay.runtime.processes.sandbox_environment import RunningEnvironment, record_tokens
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.jobs import build_job_set, open_leadership
from relay.runtime.wiring.ledger import build_ledger, prepare_ledger
from relay.sandbox.houses import RELAY_CODE
from relay.sandbox.registered import portal_of
from relay.sandbox.street import _bound, _server_context, build, opened
from relay.sandbox.tokens import claims_for, scopes_of, sign
from relay.sandbox.world.model import CUSTOMERS
from relay.sandbox.world.stories import STORIES
from relay.standard.catalogue import load_catalogue
from stage.caller import Line, client_context
from stage.neighbours import Neighbours
from stage.town import request
from stage.waiting import PATIENCE_S, until

ONE, TWO = "ZOPA000001", "ZOPA000002"
IMPATIENT = {"connect_s": 1.0, "total_s": 2.0, "attempts": 2, "backoff_s": 0.01}
"""The portal's timeouts: what goes wrong does so at once."""

UNBOUNDED = {"per_second": 100000, "burst": 100000}

GONE = (asyncio.IncompleteReadError, ConnectionError)
"""What a caller meets whose connection the relay ends."""


class Quarter:
    """The street, its portal, and what stands of its relay. Nothing stands until it is told to."""

    def __init__(self, street, **sections):
        self.street, self.catalogue = street, load_catalogue()
        self.portal = portal_of(street, street.portal, self.catalogue)
        self.settings = _adjusted(street.settings, sections)
        self.loaded = load_settings(self.settings, {})
        around = RunningEnvironment(street, self.catalogue, 0, None, self.portal)
        self.neighbours = Neighbours(around)
        self.ledger = None
        self.relay = self.gateway = None
        self._contexts, self._tokens = {}, {}

    @property
    def registry(self):
        """What the portal knows."""
        return self.portal.desk.registry

    @property
    def bank(self):
        return self.street.institutions["bank"]

    # who comes and goes

    @asynccontextmanager
    async def portal_up(self):
        """The portal listens where the settings say it is."""
        await self._portal_comes()
        try:
            yield self.portal
        finally:
            await self._portal_goes()

    @asynccontextmanager
    async def portal_away(self):
        """Nobody listens there for a while."""
        await self._portal_goes()
        try:
            yield
        finally:
            await self._portal_comes()

    async def _portal_comes(self):
        self._served = web.AppRunner(
            self.portal.application(), access_log=None, shutdown_timeout=0.1, auto_decompress=False
        )
        await self._served.setup()
        door = _bound(self.street.portal.door.getsockname()[1])
        context = _server_context(self.street.portal.identity, self.street.certificates.ca)
        await web.SockSite(self._served, door, ssl_context=context).start()

    async def _portal_goes(self):
        await self._served.cleanup()

    @asynccontextmanager
    async def gateway_up(self):
        """The gateway serves."""
        process = GatewayProcess(self.settings)
        running = asyncio.get_running_loop().create_task(process.run())
        await until(lambda: process.ports or running.done(), "listening")
        self.relay, self.gateway = process.relay, process
        try:
            yield process
        finally:
            process.stop()
            process.stop()
            await running

    @asynccontextmanager
    async def authority_up(self):
        """The authority serves, where the gateway looks for it."""
        process = AuthorityProcess(self.settings)
        running = asyncio.get_running_loop().create_task(process.run())
        await until(lambda: Path(self.loaded.settings.authority.socket).exists() or running.done(), "its socket")
        try:
            yield process
        finally:
            process.stop()
            await running

    @asynccontextmanager
    async def jobs_up(self):
        """The jobs do what is due, as in production."""
        process = JobsProcess(self.settings)
        running = asyncio.get_running_loop().create_task(process.run())
        try:
            yield process
        finally:
            process.stop()
            await running

    @asynccontextmanager
    async def instance(self, ahead_s=0.0):
        """One instance of the jobs, whose clock is ahead of the others'; it runs what it is told to."""
        made = Instance(self.loaded, lambda: time.time() + ahead_s)
        async with made:
            yield made

    # what stands where

    async def admin(self, path):
        """A GET at the private port: status and text."""
        async with await Line.open(self.street.admin_port, None) as line:
            answer = await line.ask(request("GET", path, {"Host": "admin.test"}))
            return answer.status, answer.body.decode()

    async def ready(self):
        """What is missing before calls may come."""
        return json.loads((await self.admin("/readyz"))[1])["missing"]

    async def metrics(self):
        """What Prometheus would read now; how jobs stand is looked at now and then, and here at once."""
        await self.relay.jobs.poll()
        return await self.figures()

    async def figures(self):
        """What Prometheus would read now."""
        lines = (await self.admin("/metrics"))[1].splitlines()
        return {name: float(figure) for name, _, figure in (one.partition(" ") for one in lines) if name[0] != "#"}

    async def job(self, name="directory"):
        """How a job stands."""
        return (await self.ledger.jobs.jobs()).get(name, JobState(name))

    async def command(self, *words):
        """A command as a person types it: exit code and what it prints."""
        done = await asyncio.to_thread(CliRunner().invoke, main, [*words, "-c", str(self.settings)])
        return done.exit_code, done.output

    async def follows(self):
        """Wait until the gateway goes by the ledger's registry."""
        number = (await self.ledger.registry.registry_head()).number
        relay = self.relay
        await until(lambda: relay.registry._applied.number == number, "the gateway taking the registry")

    # calling

    def pair(self, operator=ONE):
        return next(one.identity for one in self.street.operators if one.org_code == operator)

    def line(self, pair=None, address=None):
        """A connection of whoever holds `pair`."""
        pair = pair or self.pair()
        if pair not in self._contexts:
            self._contexts[pair] = client_context(self.street.certificates.ca, pair)
        return Line.open(self.street.gateway_port, self._contexts[pair], address)

    async def token(self, operator=ONE, service="SVC01"):
        """The token of a service for the bank, always the same one."""
        if (operator, service) not in self._tokens:
            client_id, bank = f"{operator}{service}", self.bank
            claims = claims_for(
                issuer=RELAY_CODE,
                operator=operator,
                provider=bank.org_code,
                client_id=client_id,
                scopes=scopes_of(self.catalogue, bank.industry),
                now=datetime.now(UTC),
            )
            await record_tokens(self.settings, [claims], CUSTOMERS[len(self._tokens) % (len(CUSTOMERS) - 1)])
            self._tokens[operator, service] = sign(claims, self.street.token_key)
        return self._tokens[operator, service]

    async def call(self, operator=ONE, service="SVC01", api_type="user-refresh", limit=10, caller=None):
        """A good call as bytes: the accounts of a customer at the bank. `caller` names another operator's tran_id."""
        token = await self.token(operator, service)
        fields = {
            "Host": "relay.test",
            "x-api-tran-id": f"{caller or operator}M{len(self._tokens):014}",
            "x-api-type": api_type,
            "Authorization": f"Bearer {token}",
        }
        asked = f"org_code={self.bank.org_code}&search_timestamp=0&limit={limit}"
        return request("GET", f"/v1/bank/accounts?{asked}", fields)

    async def ask(self, operator=ONE, pair=None, address=None, **how):
        """One call on a connection of its own; its rsp_code."""
        async with await self.line(pair or self.pair(operator), address) as line:
            return (await line.ask(await self.call(operator, **how))).rsp_code

    @asynccontextmanager
    async def calling(self, operator=ONE):
        """An operator that calls all the time on one connection, which nobody may end: what it was answered."""
        caller = Caller(await self.line(self.pair(operator)), await self.call(operator))
        task = asyncio.create_task(caller.run())
        await until(lambda: caller.answers or task.done(), "its first answer")
        try:
            yield caller
            former = caller.answers.total()
            await until(lambda: caller.answers.total() > former or task.done(), "an answer after all that happened")
        finally:
            caller.stopped = True
            await task


PACE_S = 0.004
"""An operator's rest between two calls: it shares its core with the whole quarter."""


class Caller:
    """Calls again and again."""

    def __init__(self, line, data):
        self.line, self.data = line, data
        self.answers, self.stopped = Counter(), False

    async def run(self):
        async with self.line as line:
            while not self.stopped:
                self.answers[(await line.ask(self.data)).rsp_code] += 1
                await asyncio.sleep(PACE_S)


class Instance:
    """Jobs that run when they are told to. `taken_at` is when the last sync was committed (monotonic)."""

    def __init__(self, loaded, clock):
        self._loaded, self._clock = loaded, clock
        self._stack = AsyncExitStack()
        self.taken_at = 0.0

    async def __aenter__(self):
        settings = self._loaded.settings
        self.ledger = build_ledger(settings.ledger)
        self._stack.push_async_callback(self.ledger.close)
        self.labour = build_job_set(self._loaded, self.ledger)
        self._stack.push_async_callback(self.labour.close)
        leadership = await self._stack.enter_async_context(open_leadership(settings.jobs, self.ledger.jobs))
        self.runner = Runner(self.labour.jobs, self.ledger.jobs, leadership, self._clock, settings.jobs.term_s)
        take = self.ledger.registry.apply

        async def timed(*args, **how):
            number = await take(*args, **how)
            self.taken_at = time.monotonic()
            return number

        self.ledger.registry.apply = timed
        return self

    async def __aexit__(self, *_):
        await self._stack.aclose()

    async def run(self, name="directory"):
        """Run one job to its end; what it tells."""
        return await self.runner.run_now(name)

    async def fails(self, name="directory"):
        """Run one job that must fail; what it tells."""
        try:
            told = await self.run(name)
        except JobFailed as error:
            return str(error)
        raise AssertionError(f"it did not fail: {told}")


async def eventually(ask, what, patience=PATIENCE_S):
    """Wait until the answer of `ask()` is true; fail when it is not within `patience` seconds."""
    try:
        async with asyncio.timeout(patience):
            while not (found := await ask()):  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what} did not come true in {patience} s") from None
    return found


@asynccontextmanager
async def quarter_in(folder, ledger="", **sections):
    """A quarter in a folder: institutions and certifiers answer, the ledger (a URL, or a file there) is empty."""
    street = build(folder, datetime.now(UTC), ledger=ledger, portal=True)
    async with opened(replace(street, portal=None), load_catalogue(), STORIES):
        quarter = Quarter(street, **sections)
        await prepare_ledger(quarter.loaded.settings.ledger)
        quarter.ledger = build_ledger(quarter.loaded.settings.ledger)
        try:
            yield quarter
        finally:
            await quarter.neighbours.close()
            await quarter.ledger.close()
            assert quarter.neighbours.leaks() == set()


def _adjusted(path, sections):
    """The settings of the street, less patient with its portal, with other sections laid over."""
    found = yaml.safe_load(path.read_text())
    found["portal"] |= {"timeouts": IMPATIENT, "sync_s": 1}
    found |= {"reload": {"watch_s": 0}, "rates": {"operator_provider": {**UNBOUNDED}, "provider": {**UNBOUNDED}}}
    found["rates"]["handshakes"] = {**UNBOUNDED}
    for name, values in sections.items():
        found[name] = found.get(name, {}) | values
    path.write_text(yaml.safe_dump(found, allow_unicode=True))
    return path
