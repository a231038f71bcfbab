"""Requests tokens in a closed loop and measures what each costs the authority."""

import asyncio
import base64
import hashlib
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import cycle, product
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import aiohttp
import yaml
from mydata_sandbox.credentials.tokens import list_scopes
from mydata_sandbox.customer.signing import ConsentTerms, Parties, build_certificate_form, demand
from mydata_sandbox.environment.running import RunningEnvironment
from mydata_sandbox.institution.profile import Institution
from mydata_sandbox.operator.client import open_session
from mydata_sandbox.operator.profile import OperatorProfile
from mydata_sandbox.parties import APP_SCHEME, IDENTITY_CERTIFIER, RELAY_CODE
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS

from harness import procfs
from harness.processes import cores
from harness.seed_tokens import SeedToken, build_consent
from relay.domain.authorization.consent import Authentication
from relay.domain.authorization.request import AuthorizationCode, AuthorizationRequest, RequestState
from relay.domain.ledger import Ledger
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger

CONNECTIONS: Final = 16
CASES: Final = {
    "authorization_code": "code → pair (개별인증-002)",
    "refresh_token": "refresh → access token (개별인증-003)",
    "password": "signed consent → pair (통합인증-002, auth_type 0)",
}
"""What each grant_type measures."""

_TAKEN_S: Final = 10.0
_MANY: Final = 1_000_000
Form = dict[str, str]


class IssueFailed(Exception):
    """A token was refused: the figures would not count."""


@dataclass(frozen=True, slots=True)
class Run:
    """One closed loop. CPU in milliseconds per token: authority, gateway, ledger server."""

    case: str
    ledger: str
    tokens: int
    seconds: float
    authority_ms: float
    gateway_ms: float
    ledger_ms: float
    waited: float
    steal: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Processes:
    """Pids of the measured processes; `ledger` is None for SQLite."""

    authority: int
    gateway: int
    ledger: int | None

    def spent(self) -> tuple[procfs.Spent, ...]:
        """Returns the times so far in the order of the fields."""
        ledger_pids = [] if self.ledger is None else procfs.tree(self.ledger)
        return tuple(procfs.spent(pids) for pids in ([self.authority], [self.gateway], ledger_pids))


class Bench:
    """A sandbox with its relay on one ledger, and an operator with 16 connections."""

    def __init__(
        self, running: RunningEnvironment, ledger: str, processes: Processes, session: aiohttp.ClientSession
    ) -> None:
        self._running = running
        self._ledger = ledger
        self._watched = processes
        self._session = session
        self._operator: OperatorProfile = running.environment.operators[0]
        self._signers = {
            customer.number: running.environment.certifiers.pki.customer(customer) for customer in CUSTOMERS
        }
        self._targets = self._services()

    async def round(self, count: int) -> list[Run]:
        """Runs every case once with `count` tokens; refresh tokens come from the codes."""
        codes = await self.codes(count)
        spending, pairs = await self._run("authorization_code", codes)
        refreshing, _ = await self._run("refresh_token", [self.refresh_form(*pair) for pair in pairs])
        signing, _ = await self._run("password", self.signed(count))
        return [spending, refreshing, signing]

    async def _run(self, case: str, forms: Sequence[Form]) -> tuple[Run, list[tuple[Form, Form]]]:
        waiting, times, given = list(reversed(forms)), list[float](), list[tuple[Form, Form]]()

        async def one_connection() -> None:
            while waiting:
                form = waiting.pop()
                began = time.perf_counter()
                given.append((form, await self.token(form)))
                times.append((time.perf_counter() - began) * 1000)

        before, clock, began = self._watched.spent(), procfs.clock(), time.perf_counter()
        await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))
        seconds, steal = time.perf_counter() - began, procfs.clock().steal_since(clock)
        spent = [after.since(former) for after, former in zip(self._watched.spent(), before, strict=True)]
        each = [part.cpu_us / 1000 / len(forms) for part in spent]
        waited = spent[0].waited_us / 1e6 / seconds
        p99 = quantiles(times, n=100)[-1]
        return Run(case, self._ledger, len(forms), seconds, *each, waited, steal, median(times), p99), given

    async def token(self, form: Form) -> Form:
        """Returns the response of a token call. Raises IssueFailed."""
        url = f"{self._running.environment.gateway}/oauth/2.0/token"
        headers = {"x-api-tran-id": f"{self._operator.org_code}M{secrets.token_hex(7).upper()}"}
        async with self._session.post(url, data=form, headers=headers) as answer:
            body: Form = await answer.json()
        if answer.status != 200:  # noqa: PLR2004 - HTTP OK
            raise IssueFailed(f"{form['grant_type']}: {answer.status} {body.get('error')}")
        return body

    def _services(self) -> Iterator[tuple[Institution, int]]:
        """Cycles through institutions and services."""
        institutions = self._running.environment.institutions.values()
        return cycle(product(institutions, range(len(self._operator.client_ids))))

    def _form(self, at: Institution, service: int, **fields: str) -> Form:
        operator = self._operator
        ours = {"client_id": operator.client_ids[service], "client_secret": operator.client_secrets[service]}
        return {"org_code": at.org_code} | ours | fields

    def refresh_form(self, form: Form, pair: Form) -> Form:
        """Returns the form that refreshes the pair issued for `form`."""
        service = {name: form[name] for name in ("org_code", "client_id", "client_secret")}
        return service | {"grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}

    def signed(self, count: int) -> list[Form]:
        """Returns consents of 3 customers to 2 services at 12 institutions; from the 73rd on each replaces one."""
        forms = []
        for customer, (at, service) in zip(cycle(CUSTOMERS), self._targets, strict=False):
            if len(forms) == count:
                break
            parties = Parties(self._operator.org_code, at.org_code, RELAY_CODE, IDENTITY_CERTIFIER, datetime.now(UTC))
            scopes = list_scopes(self._running.catalogue, at.industry)
            wish = ConsentTerms(at.industry, tuple(scope for scope in scopes if not scope.endswith(".list")))
            signed = build_certificate_form(
                parties, get_ci(customer), self._signers[customer.number], demand(wish, parties), lists=False
            )
            forms.append(self._form(at, service, **signed))
        return forms

    async def codes(self, count: int) -> list[Form]:
        """Returns codes of `count` customers, written into the ledger as the pages write them."""
        ledger = build_ledger(load_settings(self._running.environment.settings, {}).settings.ledger)
        try:
            return [await self._code(ledger, *next(self._targets)) for _ in range(count)]
        finally:
            await ledger.close()

    async def _code(self, ledger: Ledger, at: Institution, service: int) -> Form:
        now, code, operator = datetime.now(UTC), secrets.token_urlsafe(32), self._operator
        at_s, client_id = int(now.timestamp()), operator.client_ids[service]
        claims = {
            "org_code": at.org_code,
            "aud": operator.org_code,
            "client_id": client_id,
            "scope": " ".join(list_scopes(self._running.catalogue, at.industry)),
        }
        ci = base64.b64encode(secrets.token_bytes(64)).decode()
        consent = replace(build_consent(SeedToken(claims, ci), now), authentication=Authentication.INDIVIDUAL)
        request = AuthorizationRequest(
            request_id=secrets.token_urlsafe(32),
            provider=at.org_code,
            operator=operator.org_code,
            client_id=client_id,
            redirect_uri=operator.callback,
            app_scheme=APP_SCHEME,
            oauth_state=secrets.token_hex(16),
            api_tran_id=f"{operator.org_code}M{secrets.token_hex(7).upper()}",
            requested_at=at_s,
            expires_at=at_s + 600,
            ci=ci,
        )
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "bench", at_s)
        spent = AuthorizationCode(hashlib.sha256(code.encode()).digest(), at_s + 600)
        await ledger.give_consent(request.request_id, consent, spent, at_s)
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": operator.callback}
        return self._form(at, service, **fields)


def session_for(running: RunningEnvironment) -> aiohttp.ClientSession:
    """Returns a client session with the operator's mutual TLS."""
    return open_session(running.environment.operators[0].identity, running.environment.certificates.ca)


def pin(pid: int, cores: set[int]) -> None:
    """Pins all threads of a process to these cores; later threads inherit it."""
    for task in procfs.tasks(pid):
        os.sched_setaffinity(int(task.name), cores)


@contextmanager
def pinned_apart(processes: Processes) -> Iterator[None]:
    """Pins the authority to the first core, gateway, load and institutions to the last, until the block ends."""
    first, last = cores()
    free = os.sched_getaffinity(0)
    pin(processes.authority, {first})
    pin(processes.gateway, {last})
    pin(os.getpid(), {last})
    try:
        yield
    finally:
        pin(os.getpid(), free)


def find_authority(gateway: int) -> int:
    """Returns the pid of the authority that this gateway supervises."""
    children = (procfs.PROC / str(gateway) / "task" / str(gateway) / "children").read_text().split()
    (authority,) = (int(pid) for pid in children if b"authority" in (procfs.PROC / pid / "cmdline").read_bytes())
    return authority


async def lift_limits(running: RunningEnvironment) -> None:
    """Raises the authority's rate limit: it is not what is measured."""
    environment = running.environment
    settings: dict[str, Any] = yaml.safe_load(environment.settings.read_text())
    settings["rates"] = {"authority": {"per_second": _MANY, "burst": _MANY}}
    environment.settings.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))
    log = environment.folder / "relay.log"
    before = _count(log)
    os.kill(running.pid, signal.SIGHUP)
    await _until(lambda: _count(log) > before)


def _count(log: Path) -> int:
    return log.read_text(errors="replace").count("settings applied: role=gateway")


async def _until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(_TAKEN_S):
        while not reached():  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.05)
