"""One relay on loopback with two good operators, a hostile one, a good bank and a hostile one."""

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml
from harness.issuing import Bench, Processes, find_authority
from harness.layout import free_ports
from harness.relay_settings import merge
from harness.seed_tokens import SeedToken, build_consent, record_seed_tokens
from mydata_sandbox.credentials.authority import CertificateFiles
from mydata_sandbox.credentials.certificates import UNREGISTERED_SERIAL
from mydata_sandbox.credentials.tokens import claims_for, list_scopes, sign
from mydata_sandbox.environment.build import build
from mydata_sandbox.environment.model import SandboxEnvironment
from mydata_sandbox.environment.running import RunningEnvironment
from mydata_sandbox.operator.client import open_session
from mydata_sandbox.parties import RELAY_CODE
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS

from hostile.world import GOOD_BANK, HOSTILE_BANK, HOSTILE_OPERATOR, LOOPBACK, NAMED_BANK, Caller, World
from relay.runtime.commands.migrate import prepare_ledger
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger
from relay.standard.catalogue import load_catalogue

READY_S: Final = 40.0
REFRESHES: Final = 16
SIGNED: Final = 24
HOSTILE_SERIAL: Final = "999-81-01066"
BANKS: Final = {GOOD_BANK: "Good bank", HOSTILE_BANK: "Hostile bank", NAMED_BANK: "Bank whose name hangs"}
_HANGING_SERVER: Final = "127.0.0.67"
_MANY: Final = 100_000


class NotReady(Exception):
    """The relay ended or was not ready in time; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the relay for one peer; `settings` are merged into relay.yaml."""

    reads_stderr: bool = True
    name_server_hangs: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Running:
    """A ready relay; `output` is the file of its stdout and stderr, `records` its access log."""

    world: World
    gateway: int
    authority: int
    output: Path
    records: Path
    environment: SandboxEnvironment


@asynccontextmanager
async def start_relay(folder: Path, options: Options) -> AsyncIterator[Running]:
    """Starts a relay in `folder` with all banks, and stops them when the block ends."""
    good, hostile = free_ports(2)
    environment = build(folder / "sandbox", datetime.now(UTC))
    async with AsyncExitStack() as stack:
        stack.callback(environment.close)
        environment.certifiers.identity_listener.listen(1024)  # accepts and never answers
        _write_settings(environment, good, hostile, options.settings)
        await prepare_ledger(load_settings(environment.settings, {}).settings.ledger)
        bank = [sys.executable, str(Path(__file__).parent / "institution.py"), str(good)]
        await stack.enter_async_context(_process(bank))
        prefix = _with_hanging_names(folder, stack) if options.name_server_hangs else []
        output = folder / "output.log"
        pid = await stack.enter_async_context(_relay(prefix, environment, output, options))
        world = await _world(environment, hostile, pid)
        records = environment.folder / "access.log"
        yield Running(world, pid, find_authority(pid), output, records, environment)


def _write_settings(environment: SandboxEnvironment, good: int, hostile: int, changes: Mapping[str, Any]) -> None:
    folder = environment.folder
    settings: dict[str, Any] = yaml.safe_load(environment.settings.read_text())
    rate = {"per_second": _MANY, "burst": _MANY}
    settings["rates"] = {"operator_provider": dict(rate), "provider": dict(rate)}
    write_yaml(environment.settings, merge(settings, changes))
    directory: dict[str, Any] = yaml.safe_load((folder / "directory.yaml").read_text())
    model = directory["operators"][0]
    service = model["services"][0] | {"client_id": f"{HOSTILE_OPERATOR}SVC01", "name": "Hostile service"}
    hostile_operator = {"org_code": HOSTILE_OPERATOR, "name": "Hostile", "serial_num": HOSTILE_SERIAL}
    directory["operators"].append(model | hostile_operator | {"addresses": ["127.0.0.0/8"], "services": [service]})
    write_yaml(folder / "directory.yaml", directory)
    urls = {
        GOOD_BANK: f"{LOOPBACK}:{good}",
        HOSTILE_BANK: f"{LOOPBACK}:{hostile}",
        NAMED_BANK: "bank.hanging.example:80",
    }
    for org_code, name in BANKS.items():
        provider = {"org_code": org_code, "name": name, "industry": "bank", "link": "leased_line"}
        provider |= {"base_urls": [f"http://{urls[org_code]}"]}
        if org_code == HOSTILE_BANK:
            provider |= {"withholding": "relay", "rate": {"per_second": 200, "burst": 400}}  # the rate is the default
        write_yaml(folder / "providers" / ("bank.yaml" if org_code == GOOD_BANK else f"{org_code}.yaml"), provider)


def write_yaml(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a file of the settings, without YAML aliases."""
    plain = json.loads(json.dumps(values))  # the relay reads no aliases
    path.write_text(yaml.safe_dump(plain, allow_unicode=True, sort_keys=False), encoding="utf-8")


@asynccontextmanager
async def _process(argv: list[str]) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*argv)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


def _with_hanging_names(folder: Path, stack: AsyncExitStack) -> list[str]:
    """Returns a command prefix under which /etc/resolv.conf names a server that never answers. Needs root."""
    server = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind((_HANGING_SERVER, 53))
    file = folder / "resolv.conf"
    file.write_text(f"nameserver {_HANGING_SERVER}\n")
    script = f'mount --bind {file} /etc/resolv.conf && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh"]


@asynccontextmanager
async def _relay(
    prefix: list[str], environment: SandboxEnvironment, output: Path, options: Options
) -> AsyncIterator[int]:
    argv = [*prefix, sys.executable, "-m", "relay", "serve", "--until-stdin-closes", "-c", str(environment.settings)]
    with output.open("wb") as log, ExitStack() as ends:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env={name: value for name, value in os.environ.items() if not name.startswith("RELAY__")},
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log if options.reads_stderr else _unread_pipe(ends),
            start_new_session=True,
        )
        try:
            await _wait_ready(process, environment, output)
            yield process.pid
        finally:
            await _stop(process)


def _unread_pipe(ends: ExitStack) -> int:
    """Returns the writing end of a pipe without a reader."""
    reading, writing = os.pipe()
    ends.callback(os.close, reading)
    ends.callback(os.close, writing)
    return writing


async def _wait_ready(process: asyncio.subprocess.Process, environment: SandboxEnvironment, output: Path) -> None:
    try:
        async with asyncio.timeout(READY_S), aiohttp.ClientSession() as session:
            while process.returncode is None:
                with suppress(aiohttp.ClientError):
                    async with session.get(f"{environment.admin}/readyz") as answer:
                        if answer.status == 200:  # noqa: PLR2004 - ready
                            return
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass
    raise NotReady(_tail(output))


def _tail(output: Path) -> str:
    return output.read_text(errors="replace")[-3000:]


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Terminates the relay; kills it and its children after 15 seconds."""
    children = _children(process.pid)
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(15):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


async def _world(environment: SandboxEnvironment, hostile: int, pid: int) -> World:
    """Returns tokens, refresh tokens and signed consents of all callers."""
    certificates = environment.certificates
    issued = certificates.authority.issue(
        "Hostile operator", stem="operator-hostile", serial_number=HOSTILE_SERIAL, server=False
    )
    callers = [(operator.org_code, operator.client_ids[0], operator.identity) for operator in environment.operators]
    callers.append((HOSTILE_OPERATOR, f"{HOSTILE_OPERATOR}SVC01", issued))
    all_callers = [
        Caller(code, *_files(pair), await _tokens(environment, code, client)) for code, client, pair in callers
    ]
    good = []
    for caller, operator in zip(all_callers, environment.operators, strict=False):
        alone = replace(environment, operators=(operator,))
        good.append(replace(caller, **await _forms(alone, pid)))
    unregistered = Caller(UNREGISTERED_SERIAL, *_files(certificates.unregistered_operator))
    foreign = Caller("foreign", *_files(certificates.foreign_operator))
    return World(
        gateway=environment.gateway_port,
        admin=environment.admin_port,
        pages=environment.pages_port,
        hostile_institution=hostile,
        ca=str(certificates.ca),
        operators=good,
        hostile=all_callers[2],
        unregistered=unregistered,
        foreign=foreign,
    )


def _files(pair: CertificateFiles) -> tuple[str, str]:
    return str(pair.certificate), str(pair.private_key)


async def _tokens(environment: SandboxEnvironment, operator: str, client_id: str) -> dict[str, str]:
    """Returns a token for each bank; the consents have no memo flag, so that the relay withholds memos."""
    now, tokens = datetime.now(UTC), dict[str, str]()
    ledger = build_ledger(load_settings(environment.settings, {}).settings.ledger)
    scopes = list_scopes(load_catalogue(), "bank")
    try:
        for org_code in BANKS:
            claims = claims_for(
                issuer=RELAY_CODE, operator=operator, provider=org_code, client_id=client_id, scopes=scopes, now=now
            )
            seed = SeedToken(claims, get_ci(CUSTOMERS[0]))
            consent = build_consent(seed, now)
            particulars = replace(consent.particulars, is_consent_trans_memo=False)
            await record_seed_tokens(ledger, [(seed, replace(consent, particulars=particulars))], now)
            tokens[org_code] = sign(claims, environment.token_key)
    finally:
        await ledger.close()
    return tokens


async def _forms(environment: SandboxEnvironment, pid: int) -> dict[str, list[dict[str, str]]]:
    """Returns token calls of the first operator: refreshes, and signed consents."""
    async with open_session(environment.operators[0].identity, environment.certificates.ca) as session:

        async def wait() -> int:
            return 0

        running = RunningEnvironment(environment, load_catalogue(), pid, wait)
        bench = Bench(running, "sqlite", Processes(pid, pid, None), session)
        forms = await bench.codes(REFRESHES)
        refreshes = [bench.refresh_form(form, await bench.token(form)) for form in forms]
        return {"refreshes": refreshes, "signed": bench.signed(SIGNED)}


def new_folder() -> Path:
    """Creates a folder with a path that is short enough for a unix socket."""
    return Path(tempfile.mkdtemp(prefix="hostile-"))
