"""A relay of real processes with its institutions, operators, ledger and a load of calls."""

import asyncio
import atexit
import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import yaml
from fixtures.caller import Connection, client_context
from fixtures.gateway_environment import (
    ACCOUNTS,
    BANK,
    ONE,
    TWO,
    build_directory,
    build_provider,
    build_settings,
    request,
)
from fixtures.institution import Institution
from fixtures.ledger_writer import LedgerWriter
from fixtures.token_factory import TokenFactory
from mydata_sandbox.credentials.certificates import make_dev_certificates

from chaos.load import Call, Stream, run_stream
from chaos.refreshing import add_secrets, build_refresh, record_refresh_token
from chaos.relay_process import RelayProcess

OTHER, THIRD = "ZBAA000002", "ZBAA000003"
THREE = "ZOPA000003"
"""An operator of only those environments that add it."""

RATE = 40.0
"""Calls a second of a usual stream: two cores also run caller and institutions."""

TIMEOUTS = {"connect_s": 1, "first_byte_s": 2, "total_s": 3, "idle_s": 4}
UNLIMITED = {"per_second": 100000, "burst": 100000}


@cache
def make_certificates():
    """Returns the certificates of all environments of this process."""
    folder = Path(tempfile.mkdtemp(prefix="certs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_dev_certificates(folder, datetime.now(UTC))


def make_banks(*codes: str, **settings) -> list[Institution]:
    """Returns banks, by default two."""
    return [Institution(code, "bank", **{"timeouts": TIMEOUTS} | settings) for code in codes or (BANK, OTHER)]


class Environment:
    """Institutions in this process, gateways as processes. `calls` are all calls of all streams."""

    def __init__(self, folder: Path, institutions: Sequence[Institution], ledger_url: str = "", **sections) -> None:
        self.folder = folder
        self.certificates = make_certificates()
        self.operators = dict(zip((ONE, TWO), self.certificates.operators, strict=True))
        self.institutions = {institution.org_code: institution for institution in institutions}
        self.ledger = ledger_url or f"sqlite:{folder / 'ledger.db'}"
        self.relay_ledger = self.ledger
        """The URL that relays use; this process uses `ledger`."""
        self.sections = sections
        self.relays: list[RelayProcess] = []
        self.gateways: list[RelayProcess] = []
        self.calls: list[Call] = []
        self.phase = "calm"
        self.front_port = 0
        """The port of a load balancer, 0 without one."""
        self.left_at = self.back_at = float("inf")
        """When the state began to end, and when its cause was gone."""
        self.authority_socket = f"{tempfile.mkdtemp(prefix='relay-')}/a.sock"
        self._contexts = {}
        self._count = itertools.count(1)
        self._gateway_turns = itertools.count()

    # start and stop

    async def open(self) -> None:
        """Starts institutions, writes settings and the ledger with a token for each operator and institution."""
        for institution in self.institutions.values():
            await institution.open()
        (self.folder / "customers.key").write_bytes(base64.b64encode(bytes(32)))
        (self.folder / "providers").mkdir()
        for institution in self.institutions.values():
            self.write_provider(institution)
        self.write_directory()
        with self.open_writer() as writer:
            self.tokens = TokenFactory(self.certificates.token_keys, writer.record)
            for operator, code in itertools.product(self.operators, self.institutions):
                self.get_token(operator, code)
            self.refresh_token = record_refresh_token(writer, self.certificates.token_keys["ES256"])

    def add_operator(self) -> None:
        """Adds operator three, before `open`."""
        pair = self.certificates.authority.issue("three", serial_number="999-81-07333", stem="three", addresses=[])
        self.operators[THREE] = pair

    def write_directory(self) -> None:
        """Writes all operators. Those beyond two are like the second one."""
        directory = build_directory(self.certificates)
        for code, pair in list(self.operators.items())[2:]:
            services = [{"client_id": f"{code}SVC01", "name": "one"}]
            row = directory["operators"][1] | {"org_code": code, "name": code, "serial_num": pair.serial_number}
            directory["operators"].append(row | {"services": services})
        self.write_file("directory.yaml", add_secrets(directory))

    def record_tokens(self, number: int) -> list[str]:
        """Records tokens of operator one for the bank that no gateway has seen yet."""
        with self.open_writer() as writer:
            factory = TokenFactory(self.certificates.token_keys, writer.record)
            return [factory.build({}, ONE, BANK, "bank") for _ in range(number)]

    def open_writer(self) -> LedgerWriter:
        """Opens the ledger; for a `with` block."""
        return LedgerWriter(self.ledger, bytes(32))

    def write_file(self, name: str, values) -> Path:
        """Writes a file of settings."""
        path = self.folder / name
        path.write_text(yaml.safe_dump(json.loads(json.dumps(values))))
        return path

    def write_provider(self, institution: Institution, **changes) -> None:
        """Writes the file of an institution."""
        self.write_file(f"providers/{institution.org_code}.yaml", build_provider(institution) | changes)

    def write_settings(self, name: str, **sections) -> Path:
        """Writes `NAME.yaml` of one relay; each has its own access log and spool."""
        own = {
            "ledger": {"url": self._refer_to_ledger()},
            "authority": {"socket": self.authority_socket},
            "access_log": {"path": f"{name}.access"},
            "statistics": {"spool": f"{name}-spool"},
        }
        merged = {**self.sections}
        for section, values in (own | sections).items():
            merged[section] = merged.get(section, {}) | own.get(section, {}) | values
        settings = build_settings(self.certificates, **merged)
        settings["gateway"]["timeouts"] |= {"handshake_s": 10, "head_s": 5, "body_s": 5}  # cores are shared
        return self.write_file(f"{name}.yaml", settings)

    def _refer_to_ledger(self) -> str:
        (self.folder / "ledger.url").write_text(self.relay_ledger)
        return "file:ledger.url" if self.ledger.startswith("postgres") else self.ledger

    async def add_relay(
        self, name: str, role: str = "gateway", prefix: Sequence[str] = (), variables=None, **sections
    ) -> RelayProcess:
        """Starts a relay and waits until it serves."""
        relay = RelayProcess(self.write_settings(name, **sections), role, prefix, **variables or {})
        self.relays.append(relay)
        await relay.start()
        if role in {"gateway", "all"}:
            self.gateways.append(relay)
        return relay

    async def close(self) -> None:
        """Stops everything. Raises AssertionError for a bug in a script of an institution."""
        await asyncio.gather(*(relay.stop() for relay in self.relays))
        for institution in self.institutions.values():
            await institution.stop()
        shutil.rmtree(Path(self.authority_socket).parent, ignore_errors=True)
        bugs = [bug for institution in self.institutions.values() for bug in institution.bugs]
        assert not bugs, bugs

    @property
    def gateway(self) -> RelayProcess:
        """The first gateway."""
        return self.gateways[0]

    @property
    def bank(self) -> Institution:
        """The institution that most states are about."""
        return self.institutions[BANK]

    # calls

    def get_token(self, operator: str = ONE, provider: str = BANK) -> str:
        """Returns the token of an operator for an institution, always the same."""
        return self.tokens.get_valid(operator, provider, self.institutions[provider].industry)

    def build_request(self, call: Call, token: str = "", limit: int = 10) -> bytes:
        """Returns the request of a call: 은행-001."""
        target = f"{ACCOUNTS}?org_code={call.provider}&search_timestamp=0&limit={limit}"
        token = token or self.get_token(call.operator, call.provider)
        fields = {"Host": "relay.test", "x-api-tran-id": call.tran_id, "x-api-type": call.api_type}
        return request("GET", target, fields | {"Authorization": f"Bearer {token}"})

    def get_context(self, operator: str = ONE):
        """Returns the TLS context of an operator."""
        if operator not in self._contexts:
            self._contexts[operator] = client_context(self.certificates.ca, self.operators[operator])
        return self._contexts[operator]

    async def connect(self, operator: str = ONE, gateway: RelayProcess | None = None, address=None) -> Connection:
        """Opens a connection to a gateway, to all in turn by default."""
        gateway = gateway or self.gateways[next(self._gateway_turns) % len(self.gateways)]
        return await Connection.open(self.front_port or gateway.port, self.get_context(operator), address)

    def make_call(self, operator: str = ONE, provider: str = BANK, due: float = 0.0, api_type="user-refresh") -> Call:
        """Returns a new call of the current phase, and remembers it."""
        tran_id = f"{operator}M{next(self._count):014}"
        call = Call(self.phase, operator, provider, tran_id, due or time.monotonic(), api_type)
        self.calls.append(call)
        return call

    async def call(self, operator: str = ONE, provider: str = BANK, **options) -> Call:
        """Makes one call on a new connection."""
        stream = Stream(lambda call: self.build_request(call, **options), lambda: self.connect(operator))
        call = self.make_call(operator, provider)
        await stream.send(call)
        stream.close()
        return call

    async def call_token(self) -> Call:
        """Refreshes a token (개별인증-003) on a new connection."""
        stream = Stream(lambda call: build_refresh(call, self.refresh_token), self.connect)
        call = self.make_call()
        await stream.send(call)
        stream.close()
        return call

    @asynccontextmanager
    async def load(
        self,
        provider: str = BANK,
        *,
        operator: str = ONE,
        rate: float = RATE,
        connections: int = 48,
        spread: int = 1,
        build=None,
        **options,
    ):
        """Calls at a constant rate during the block: data, or with `build` other requests."""
        stream = Stream(
            build or self.build_request, lambda: self.connect(operator), connections=connections, spread=spread
        )
        task = asyncio.create_task(
            run_stream(stream, rate, lambda due: self.make_call(operator, provider, due, **options))
        )
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def run_phase(self, name: str, seconds: float) -> None:
        """Lets the load run for a while under a name."""
        self.phase = name
        await asyncio.sleep(seconds)

    def get_calls(self, *phases: str, provider: str = "", operator: str = "") -> list[Call]:
        """Returns calls of some phases, of an institution and an operator."""
        return [
            call
            for call in self.calls
            if (not phases or call.phase in phases)
            and provider in {"", call.provider}
            and operator in {"", call.operator}
        ]

    # commands

    async def run_command(self, *words: str, **variables: str) -> tuple[int, str]:
        """Runs `relay WORDS` with environment variables. Returns the exit status and the output."""
        command = [sys.executable, "-m", "relay", *words, "-c", str(self.gateway.settings)]
        child = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | variables
        )
        output, _ = await child.communicate()
        return child.returncode, output.decode(errors="replace")


@asynccontextmanager
async def open_environment(
    folder: Path, institutions: Sequence[Institution] = (), ledger_url: str = "", *, has_three: bool = False, **sections
):
    """Opens an environment without a relay and closes it when the block ends. `has_three`: with operator three."""
    environment = Environment(folder, institutions or make_banks(), ledger_url, **sections)
    if has_three:
        environment.add_operator()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(environment.close)
        await environment.open()
        yield environment


@asynccontextmanager
async def open_gateway(folder: Path, institutions: Sequence[Institution] = (), ledger_url: str = "", **sections):
    """Opens an environment with one gateway."""
    async with open_environment(folder, institutions, ledger_url, **sections) as environment:
        await environment.add_relay("one")
        yield environment
